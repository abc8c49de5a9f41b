import {
  type AuditEvent,
  type ChainedEvent,
  type ChainHead,
  type CheckpointStatement,
  newId,
  type SealedBatch,
} from '@qnsp/kms-core';
import { checkpointHash } from './checkpoint.ts';
import type { CheckpointSigner } from './checkpoint-signature.ts';
import { eventHash, GENESIS_HASH } from './event-hash.ts';
import { merkleRoot } from './merkle-tree.ts';

/** The head of a chain without events. */
export function emptyChain(tenantId: string): ChainHead {
  return { tenantId, sequence: 0, hash: GENESIS_HASH, checkpoint: null };
}

/**
 * Puts events at the end of a tenant's chain and signs their checkpoint.
 *
 * @throws RangeError without an event, or with an event of another tenant.
 */
export async function sealBatch(
  signer: CheckpointSigner,
  head: ChainHead,
  events: readonly AuditEvent[],
  now: Date,
): Promise<SealedBatch> {
  const chained = chain(head, events);
  const [first, last] = [chained[0], chained.at(-1)];
  if (first === undefined || last === undefined) throw new RangeError('A batch has at least one event.');
  const statement: CheckpointStatement = {
    checkpointId: newId(),
    timestamp: now.toISOString(),
    tenantId: head.tenantId,
    merkleRoot: merkleRoot(leavesOf(chained)).toString('hex'),
    eventCount: chained.length,
    firstSequence: first.sequence,
    lastSequence: last.sequence,
    firstEventId: first.event.eventId,
    lastEventId: last.event.eventId,
    previousCheckpoint: head.checkpoint,
  };
  return {
    events: chained,
    checkpoint: await signer.sign(statement),
    head: {
      tenantId: head.tenantId,
      sequence: last.sequence,
      hash: last.hash,
      checkpoint: checkpointHash(statement),
    },
  };
}

/** The leaves of a batch's Merkle tree: the hashes of its events. */
export function leavesOf(events: readonly Pick<ChainedEvent, 'hash'>[]): Buffer[] {
  return events.map(({ hash }) => Buffer.from(hash, 'hex'));
}

function chain(head: ChainHead, events: readonly AuditEvent[]): ChainedEvent[] {
  let { sequence, hash: previousHash } = head;
  return events.map((event) => {
    if (event.tenantId !== head.tenantId) throw new RangeError('An event of another tenant is not of this chain.');
    sequence += 1;
    const place = { sequence, previousHash, event };
    const hash = eventHash(place);
    previousHash = hash;
    return { ...place, hash };
  });
}
