import { hash } from 'node:crypto';
import type { ChainedEvent } from '@qnsp/kms-core/ports';
import { canonicalJson } from './canonical-json.ts';

/** SHA3-256 (FIPS 202), in lower-case hexadecimal wherever it is text. */
export const HASH_ALGORITHM = 'sha3-256';

/** The previous hash of the first event of a chain. */
export const GENESIS_HASH = '0'.repeat(64);

/**
 * The hash of an event at its place: SHA3-256 over the canonical JSON of `{event, previousHash, sequence}`. It depends on
 * every event before it.
 */
export function eventHash({ event, previousHash, sequence }: Omit<ChainedEvent, 'hash'>): string {
  return hash(HASH_ALGORITHM, canonicalJson({ event, previousHash, sequence }), 'hex');
}
