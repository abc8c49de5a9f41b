import type { AuditEvent } from '@qnsp/kms-core';
import {
  type ChainedEvent,
  type ChainHead,
  type CheckpointStatement,
  type EvidenceEpoch,
  newId,
  type SealedBatch,
} from '@qnsp/kms-core/ports';
import { periodsWith, signingKeyId } from './chain-tail.ts';
import { checkpointHash } from './checkpoint.ts';
import type { CheckpointSigner } from './checkpoint-signature.ts';
import { eventHash, GENESIS_HASH } from './event-hash.ts';
import { merkleRoot } from './merkle-tree.ts';

/** The head of a chain without events. */
export function emptyChain(tenantId: string): ChainHead {
  return { tenantId, sequence: 0, hash: GENESIS_HASH, checkpoint: null, last: null };
}

/** Another key has taken over a chain from the one that was to sign: nodes that have this one must leave it alone. */
export class SupersededKeyError extends Error {
  override readonly name = 'SupersededKeyError';
}

/**
 * Puts events at the end of a tenant's chain and signs their checkpoint.
 *
 * @param epoch the epoch of the database that they belong to
 * @throws SupersededKeyError when another key has taken over the chain
 * @throws RangeError without an event, with an event of another tenant, or in an epoch that has ended.
 */
export async function sealBatch(
  signer: CheckpointSigner,
  head: ChainHead,
  events: readonly AuditEvent[],
  now: Date,
  epoch: EvidenceEpoch | null = null,
): Promise<SealedBatch> {
  const { last: before } = head;
  const present = before?.epoch ?? null;
  if (present !== null && (epoch === null || epoch.since < present.since))
    throw new RangeError('The chain belongs to a later epoch: the database was restored in the meantime.');
  const chained = chain(
    head,
    events.map((event) => inEpoch(event, epoch)),
  );
  const [first, last] = [chained[0], chained.at(-1)];
  if (first === undefined || last === undefined) throw new RangeError('A batch has at least one event.');
  const signers = { periods: before?.signingKeys ?? null, keyId: before === null ? null : signingKeyId(before) };
  const signingKeys = periodsWith(signers, signer.keyId, first.sequence);
  if (signingKeys === undefined)
    throw new SupersededKeyError(`The chain was taken over by another signing key from ${signer.keyId}.`);
  const statement: CheckpointStatement = {
    checkpointId: newId(),
    timestamp: notBefore(now, before?.timestamp, epoch?.since).toISOString(),
    tenantId: head.tenantId,
    merkleRoot: merkleRoot(leavesOf(chained)).toString('hex'),
    eventCount: chained.length,
    firstSequence: first.sequence,
    lastSequence: last.sequence,
    firstEventId: first.event.eventId,
    lastEventId: last.event.eventId,
    previousCheckpoint: head.checkpoint,
    version: 2,
    epoch,
    signingKeys,
  };
  const checkpoint = await signer.sign(statement);
  return {
    events: chained,
    checkpoint,
    head: {
      tenantId: head.tenantId,
      sequence: last.sequence,
      hash: last.hash,
      checkpoint: checkpointHash(statement),
      last: checkpoint,
    },
  };
}

/** The leaves of a batch's Merkle tree: the hashes of its events. */
export function leavesOf(events: readonly Pick<ChainedEvent, 'hash'>[]): Buffer[] {
  return events.map(({ hash }) => Buffer.from(hash, 'hex'));
}

/**
 * What waited when the database was copied may also have been sealed in the previous epoch: it gets a new id, so that
 * no id occurs twice.
 */
function inEpoch(event: AuditEvent, epoch: EvidenceEpoch | null): AuditEvent {
  if (epoch === null || event.timestamp >= epoch.since) return event;
  return { ...event, eventId: newId(), repeats: event.eventId };
}

/** Nodes have their own clocks, and a chain moves forward all the same. */
function notBefore(now: Date, ...earliest: readonly (string | undefined)[]): Date {
  return new Date(Math.max(now.getTime(), ...earliest.map((time) => (time === undefined ? 0 : Date.parse(time)))));
}

function chain(head: ChainHead, events: readonly AuditEvent[]): ChainedEvent[] {
  let { sequence, hash: previousHash } = head;
  return events.map((event) => {
    if (event.tenantId !== head.tenantId)
      throw new RangeError('An event of another tenant does not belong to this chain.');
    sequence += 1;
    const place = { sequence, previousHash, event };
    const hash = eventHash(place);
    previousHash = hash;
    return { ...place, hash };
  });
}
