import { createHash } from 'node:crypto';
import type { AuditEvent } from '@qnsp/kms-core';
import { canonicalJson } from './canonical-json.ts';

/** SHA3-256 (FIPS 202), in lower-case hexadecimal wherever it is text. */
export const HASH_ALGORITHM = 'sha3-256';

/** What the first event of a chain has as its previous hash. */
export const GENESIS_HASH = '0'.repeat(64);

/** An event at its place in the chain of its tenant. */
export interface ChainedEvent {
  /** From 1, without gaps, for each tenant. */
  readonly sequence: number;
  /** The hash of the event before it; {@link GENESIS_HASH} for the first. */
  readonly previousHash: string;
  readonly hash: string;
  readonly event: AuditEvent;
}

/**
 * The hash of an event at its place: SHA3-256 over the canonical JSON of `{event, previousHash, sequence}`. It depends on
 * every event before it.
 */
export function eventHash({ event, previousHash, sequence }: Omit<ChainedEvent, 'hash'>): string {
  return createHash(HASH_ALGORITHM).update(canonicalJson({ event, previousHash, sequence })).digest('hex');
}
