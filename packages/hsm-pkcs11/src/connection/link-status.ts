import type { TokenIdentity } from '../protocol/messages.ts';
import type { RefusedPins } from './refused-pins.ts';

/** What the link to a token needs besides its settings. */
export interface LinkParts {
  /** The environment of the module's process. */
  readonly environment: NodeJS.ProcessEnv;
  readonly refusedPins: RefusedPins;
  /** The tokens of the same module that others use. */
  readonly taken: () => readonly TokenIdentity[];
  /** Milliseconds on a clock that never goes back. */
  readonly now: () => number;
}

/** The state of the link to one token. */
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
