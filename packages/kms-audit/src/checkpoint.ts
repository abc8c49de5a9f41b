import { createHash } from 'node:crypto';
import { canonicalJson } from './canonical-json.ts';
import { HASH_ALGORITHM } from './event-hash.ts';

/** What a signature says about one batch of a tenant's events: these, in this order, after those before. */
export interface CheckpointStatement {
  readonly checkpointId: string;
  /** RFC 3339 in UTC: when the batch was sealed. */
  readonly timestamp: string;
  readonly tenantId: string;
  /** The Merkle tree hash over the hashes of the events, in hexadecimal. */
  readonly merkleRoot: string;
  readonly eventCount: number;
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly firstEventId: string;
  readonly lastEventId: string;
  /** {@link checkpointHash} of the tenant's checkpoint before this one; `null` for the first. */
  readonly previousCheckpoint: string | null;
}

export interface Checkpoint extends CheckpointStatement {
  /** A JWS in compact form with a detached payload (RFC 7515, appendix F): the canonical JSON of the statement. */
  readonly signature: string;
}

/** The bytes that the signature of a checkpoint covers. */
export function signedBytes(statement: CheckpointStatement): Buffer {
  const { checkpointId, timestamp, tenantId, merkleRoot, eventCount, previousCheckpoint } = statement;
  const { firstSequence, lastSequence, firstEventId, lastEventId } = statement;
  return Buffer.from(
    canonicalJson({
      checkpointId,
      timestamp,
      tenantId,
      merkleRoot,
      eventCount,
      firstSequence,
      lastSequence,
      firstEventId,
      lastEventId,
      previousCheckpoint,
    }),
    'utf8',
  );
}

/** The hash by which the next checkpoint names this one: SHA3-256 of what is signed, in hexadecimal. */
export function checkpointHash(statement: CheckpointStatement): string {
  return createHash(HASH_ALGORITHM).update(signedBytes(statement)).digest('hex');
}
