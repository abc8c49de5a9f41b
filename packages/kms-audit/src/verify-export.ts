import type { VerifyExportOptions } from './verify-export-options.ts';
import type { ChainedEvent, Checkpoint } from '@qnsp/kms-core/ports';
import type { ExportReport } from './export-report.ts';
import { ExportWalk } from './export-walk.ts';
import type { Line } from './lines.ts';
import { OpenBatch } from './open-batch.ts';

/**
 * Verifies an export without the service: every hash, every place in the chain, every Merkle root and every signature.
 * Editing, deleting, inserting or reordering a line is found at the first event that it touches; cutting off the end is
 * found against `latestCheckpoint` or `expectedEvents`. What follows an error is checked as well. Takes no more memory
 * for a longer export, apart from a few bytes for each batch.
 *
 * @param lines without their line feeds; nothing else ends a line
 * @throws RangeError if a public key or a checkpoint in the options is unusable.
 * @example
 * import { exportLines, verifyExport } from '@qnsp/kms-audit';
 * const batches = await ada.exportAudit({ batches: 100 });
 * const lines = batches.flatMap(({ events, checkpoint }) => exportLines(events, checkpoint).trimEnd().split('\n'));
 * const report = await verifyExport(lines, { publicKeysPem: [auditKeyPem], tenantId });
 * console.log(report.verified, report.gaps); // true 0
 */
export async function verifyExport(
  lines: AsyncIterable<Line> | Iterable<Line>,
  options: VerifyExportOptions,
): Promise<ExportReport> {
  const walk = new ExportWalk(options);
  for await (const line of lines) walk.take(line);
  return walk.end();
}

/**
 * Why a checkpoint is not the one over these events, `undefined` if it is. Its signature and its place are not checked.
 */
export function contentProblem(checkpoint: Checkpoint, events: readonly ChainedEvent[]): string | undefined {
  const batch = new OpenBatch();
  for (const event of events) batch.add(event);
  return batch.problem(checkpoint);
}
