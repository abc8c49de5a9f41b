import type { CredentialVerifier, EvidenceTrail, Kms, OperationName } from '@qnsp/kms-core';
import type { EdgeLogs } from './edge-logs.ts';
import type { RefusedTokens } from './refused-tokens.ts';

/** What every call needs, whatever it asks for. */
export interface Edge {
  readonly kms: Kms;
  /** The kinds of credentials that are taken, in the order in which they are asked. */
  readonly verifiers: readonly CredentialVerifier[];
  readonly logs: EdgeLogs;
  readonly metrics: { observe(operation: OperationName, status: number, durationMs: number): void };
  /** Throws while nothing is served. */
  readonly readiness: { requireServing(): void };
  /** The credential of the gateway in front of the service; default: none. */
  readonly gatewayCredential?: string | undefined;
  /** Where evidence goes; absent when none is kept. */
  readonly trail?: EvidenceTrail | undefined;
  /** What records that a known token was not let in. */
  readonly refusedTokens: RefusedTokens;
}
