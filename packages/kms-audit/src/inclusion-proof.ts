import type { ChainedEvent, Checkpoint } from '@qnsp/kms-core/ports';
import type { CheckpointVerifier } from './checkpoint-signature.ts';
import { eventHash } from './event-hash.ts';
import { auditPath, rootOfPath } from './merkle-tree.ts';
import { leavesOf } from './seal-batch.ts';

/** That one event is in one signed batch, without the other events. */
export interface InclusionProof {
  readonly event: ChainedEvent;
  /** The place of the event in its batch, from 0. */
  readonly leafIndex: number;
  /** Hashes in hexadecimal, from the leaf upwards (RFC 6962, section 2.1.1). */
  readonly path: readonly string[];
  readonly checkpoint: Checkpoint;
}

/** The proof for the event with this id, or that repeats it, `undefined` when the batch does not hold it. */
export function proveInclusion(
  events: readonly ChainedEvent[],
  checkpoint: Checkpoint,
  eventId: string,
): InclusionProof | undefined {
  const leafIndex = events.findIndex(({ event }) => event.eventId === eventId || event.repeats === eventId);
  const found = events[leafIndex];
  if (found === undefined) return undefined;
  const path = auditPath(leavesOf(events), leafIndex).map((hash) => hash.toString('hex'));
  return { event: found, leafIndex, path, checkpoint };
}

/**
 * Why a proof is not valid under a public key, `undefined` if it is.
 *
 * @example
 * import { checkpointVerifier, inclusionProblem, proveInclusion } from '@qnsp/kms-audit';
 * const { items } = await ada.listAuditEvents();
 * const eventId = items[0]?.event.eventId ?? '';
 * const { events, checkpoint } = await ada.getAuditProof({ eventId });
 * const proof = proveInclusion(events, checkpoint, eventId);
 * const problem = proof && inclusionProblem(proof, checkpointVerifier(auditKeyPem));
 * console.log(proof !== undefined, problem); // true undefined
 */
export function inclusionProblem(
  { event, leafIndex, path, checkpoint }: InclusionProof,
  verifier: CheckpointVerifier,
): string | undefined {
  if (eventHash(event) !== event.hash) return 'the event does not have the hash that it names';
  if (event.event.tenantId !== checkpoint.tenantId)
    return 'the event belongs to a different tenant from the checkpoint';
  if (event.sequence !== checkpoint.firstSequence + leafIndex) return 'the event has a different place in its batch';
  const hash = Buffer.from(event.hash, 'hex');
  const siblings = path.map((sibling) => Buffer.from(sibling, 'hex'));
  if (rootOfPath(hash, leafIndex, checkpoint.eventCount, siblings)?.toString('hex') !== checkpoint.merkleRoot)
    return 'the path does not lead to the root of the checkpoint';
  return verifier.problem(checkpoint);
}
