import type { CredentialVerifier, OperationName } from '@qnsp/kms-core';
import type { Kms, RefusedTokens } from '@qnsp/kms-core/internal';
import type { AddressLimiter, EvidenceTrail, RateLimiter } from '@qnsp/kms-core/ports';
import type { EdgeLogs } from './edge-logs.ts';

/** Counts and times calls. */
export interface EdgeMetrics {
  /** @param tenantId whose call it was; `undefined` where nobody is known to have made it */
  observe(wire: string, operation: OperationName, status: number, durationMs: number, tenantId?: string): void;
}

/** What every call needs, whatever it asks for. */
export interface Edge {
  readonly kms: Kms;
  /** The kinds of credentials that are taken, in the order in which they are asked. */
  readonly verifiers: readonly CredentialVerifier[];
  /** Holds callers to their share; absent where nobody is held to any. */
  readonly rateLimiter?: RateLimiter | undefined;
  /** Holds addresses to how many credentials that do not hold they may present; absent where they may present any number. */
  readonly addressLimiter?: AddressLimiter | undefined;
  readonly logs: EdgeLogs;
  readonly metrics: EdgeMetrics;
  /** Each of them throws while nothing is served. */
  readonly readiness: readonly { requireServing(): void }[];
  /** What the gateway in front of the service proves itself by; none without it. */
  readonly gatewayCredential?: string | undefined;
  /** Where evidence goes; absent when none is kept. */
  readonly trail?: EvidenceTrail | undefined;
  /** Which refusals of known credentials are worth an event. */
  readonly refusedTokens: Pick<RefusedTokens, 'takes' | 'missed'>;
}
