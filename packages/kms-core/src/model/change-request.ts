import type { KeyId } from './identifiers.ts';

/** What every change of a key may carry. */
export interface ChangeRequest {
  readonly keyId: KeyId;
  /** The revision that the caller saw last: with another one the change is refused. */
  readonly ifRevision?: number;
  /** Why, in the caller's words: kept in the evidence of the change and nowhere else. */
  readonly statedReason?: string;
}

/** The idempotency of one mutating call, as the edge read it from the request. */
export interface IdempotencyRequest {
  /** The caller's key, at most 255 characters. */
  readonly key: string;
  /**
   * SHA-256 over the caller, the operation and the request: what must be the same for a replay. It is not stored as it is, but
   * keyed.
   */
  readonly fingerprint: Uint8Array;
  /** How many answers may be kept for the tenant of the caller; default: any number. */
  readonly atMost?: number | undefined;
}
