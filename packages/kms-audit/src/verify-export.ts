import type { ChainedEvent, Checkpoint } from '@qnsp/kms-core';
import type { ExportReport } from './export-report.ts';
import { ExportWalk } from './export-walk.ts';
import type { Line } from './lines.ts';
import { OpenBatch } from './open-batch.ts';

export interface VerifyExportOptions {
  /** The public keys that checkpoints may be signed with, in PEM: more than one after a change of the signing key. */
  readonly publicKeysPem: readonly string[];
  /** Whose evidence it must be; that of its first line without it. */
  readonly tenantId?: string;
  /**
   * A checkpoint that came another way than the export, as from the audit service: without one nothing shows that the
   * end of the export was not cut off. It shows so up to the last event that it covers.
   */
  readonly latestCheckpoint?: Checkpoint;
  /** How many events there must be; another way to show that the end was not cut off. */
  readonly expectedEvents?: number;
  /** The last checkpoint of an earlier export that was verified; this one goes on after it. */
  readonly after?: Checkpoint;
  /**
   * Batches that were sealed before this time may lack their events, all of them: retention removed them. Their signed
   * checkpoints are still there, each linked to the one before. Older batches may be whole: what the audit service refused
   * is kept. `retiredAfterKept` of the report names what is missing behind such a batch.
   */
  readonly retiredBefore?: Date;
}

/**
 * Verifies an export without the service: every hash, every place in the chain, every Merkle root and every signature.
 * Editing, deleting, inserting or reordering a line is found at the first event that it touches; cutting off the end is
 * found against `latestCheckpoint` or `expectedEvents`. What comes after something wrong is looked at as well. Takes no more
 * memory for a longer export, but for a few bytes for each batch.
 *
 * @param lines without their line feeds; nothing else ends a line
 * @throws RangeError when a public key or a checkpoint of the options is of no use.
 * @example
 * await verifyExport(linesOf(createReadStream(path)), { publicKeysPem: [pem], latestCheckpoint });
 */
export async function verifyExport(
  lines: AsyncIterable<Line> | Iterable<Line>,
  options: VerifyExportOptions,
): Promise<ExportReport> {
  const walk = new ExportWalk(options);
  for await (const line of lines) walk.take(line);
  return walk.end();
}

/** Why a checkpoint is not the one over these events, `undefined` when it is. Its signature and its place are not looked at. */
export function contentProblem(checkpoint: Checkpoint, events: readonly ChainedEvent[]): string | undefined {
  const batch = new OpenBatch();
  for (const event of events) batch.add(event);
  return batch.problem(checkpoint);
}
