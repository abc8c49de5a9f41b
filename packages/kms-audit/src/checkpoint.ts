import { hash } from 'node:crypto';
import type { CheckpointStatement } from '@qnsp/kms-core/ports';
import { canonicalJson } from './canonical-json.ts';
import { HASH_ALGORITHM } from './event-hash.ts';

/** The bytes that the signature of a checkpoint covers. */
export function signedBytes(statement: CheckpointStatement): Buffer {
  const { checkpointId, timestamp, tenantId, merkleRoot, eventCount, previousCheckpoint } = statement;
  const { firstSequence, lastSequence, firstEventId, lastEventId } = statement;
  const { version, epoch, signingKeys } = statement;
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
      ...(version === undefined ? {} : { version, epoch, signingKeys }),
    }),
    'utf8',
  );
}

/** The hash by which the next checkpoint names this one: SHA3-256 of what is signed, in hexadecimal. */
export function checkpointHash(statement: CheckpointStatement): string {
  return hash(HASH_ALGORITHM, signedBytes(statement), 'hex');
}
