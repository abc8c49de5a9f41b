import type { Checkpoint } from '@qnsp/kms-core/ports';
import { parseExportLine } from './export-lines.ts';

/** Where evidence is exported from: the service, through any client. */
export interface ExportSource {
  /** The newest checkpoint, `undefined` when there is none: `GET /audit/checkpoints?limit=1`. */
  latestCheckpoint(): Promise<Checkpoint | undefined>;
  /** Whole batches after a place in the chain: `GET /audit/export?format=jsonl&after=…`. */
  page(after: number): Promise<string>;
}

/**
 * Exports everything up to the newest checkpoint: what `kms audit export` does. Reading leaves evidence itself, so the
 * end is fixed at the beginning.
 *
 * @param write takes the export, page by page
 * @returns the newest checkpoint, to be kept apart from the export; `undefined` when there is no evidence yet
 * @throws RangeError if the source does not return what an export consists of.
 */
export async function runAuditExport(
  source: ExportSource,
  write: (text: string) => void | Promise<void>,
  after = 0,
): Promise<Checkpoint | undefined> {
  const latest = await source.latestCheckpoint();
  if (latest === undefined) return undefined;
  let last = after;
  while (last < latest.lastSequence) {
    const lines = upTo(latest.lastSequence, await source.page(last));
    const end = parseExportLine(lines.at(-1) ?? '');
    if (end?.kind !== 'checkpoint' || end.checkpoint.lastSequence <= last)
      throw new RangeError(`The service has no complete batch after event ${last}, although there should be one.`);
    last = end.checkpoint.lastSequence;
    await write(lines.map((line) => `${line}\n`).join(''));
  }
  return latest;
}

/** The lines of a page up to the checkpoint that ends with the given event. */
function upTo(lastSequence: number, page: string): string[] {
  const lines = page.split('\n').slice(0, -1);
  const end = lines.findIndex((line) => {
    const parsed = parseExportLine(line);
    return parsed?.kind === 'checkpoint' && parsed.checkpoint.lastSequence === lastSequence;
  });
  return end === -1 ? lines : lines.slice(0, end + 1);
}
