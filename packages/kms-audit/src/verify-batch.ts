import type { EvidenceBatch } from '@qnsp/kms-core';
import type { CheckpointVerifier } from './checkpoint-signature.ts';
import { eventHash } from './event-hash.ts';
import { readChainedEvent, readCheckpoint } from './export-lines.ts';
import { contentProblem } from './verify-export.ts';

/** A batch from the body of a delivery, `undefined` for anything else. */
export function readDelivery(body: unknown): EvidenceBatch | undefined {
  if (typeof body !== 'object' || body === null || !('checkpoint' in body) || !('events' in body)) return undefined;
  const checkpoint = readCheckpoint(body.checkpoint);
  if (checkpoint === undefined || !Array.isArray(body.events)) return undefined;
  const events = body.events.map(readChainedEvent).filter((event) => event !== undefined);
  return events.length === body.events.length ? { events, checkpoint } : undefined;
}

/**
 * Why a batch on its own is not one that was signed, `undefined` if it is: its hashes, its order, its root and its
 * signature. Whether it follows the batch before it is for the caller to say.
 */
export function batchProblem({ events, checkpoint }: EvidenceBatch, verifier: CheckpointVerifier): string | undefined {
  let previousHash = events[0]?.previousHash;
  for (const [index, entry] of events.entries()) {
    if (entry.event.tenantId !== checkpoint.tenantId) return `event ${entry.sequence} belongs to another tenant`;
    if (entry.sequence !== checkpoint.firstSequence + index) return `event ${entry.sequence} is not in its place`;
    if (entry.previousHash !== previousHash) return `event ${entry.sequence} does not follow the one before it`;
    if (eventHash(entry) !== entry.hash) return `event ${entry.sequence} does not have the hash that it names`;
    previousHash = entry.hash;
  }
  return contentProblem(checkpoint, events) ?? verifier.problem(checkpoint);
}
