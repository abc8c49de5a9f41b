import type { TokenIdentity } from '../protocol/messages.ts';

/** The way to one token, as it stands. */
export interface LinkStatus {
  readonly connected: boolean;
  readonly breaker: 'closed' | 'open' | 'half-open';
  readonly consecutiveFailures: number;
  readonly busySessions: number;
  readonly queuedCalls: number;
  /** How often the process of the module was started. */
  readonly starts: number;
  /** Of the process of the module. */
  readonly pid: number | null;
  readonly token: TokenIdentity | null;
  readonly slotId: number | null;
  readonly lastError: string | null;
}
