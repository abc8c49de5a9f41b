import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { Checkpoint } from '@qnsp/kms-core';
import { checkpointVerifier } from './checkpoint-signature.ts';
import { readCheckpoint } from './export-lines.ts';
import { type ExportReport, verifyExport } from './verify-export.ts';

const RANGES_NAMED = 10;

export interface AuditVerifyArguments {
  /** The export: JSON Lines. */
  readonly exportFile: string;
  /** The public keys that checkpoints may be signed with, in PEM. */
  readonly publicKeyFiles: readonly string[];
  /** A checkpoint as JSON that came another way than the export. */
  readonly checkpointFile?: string;
  /** The last checkpoint of an earlier export, as JSON; this export goes on after it. */
  readonly afterFile?: string;
  readonly expectedEvents?: number;
  readonly retiredBefore?: Date;
}

/**
 * Verifies an export in files and says the outcome in words: what `kms audit verify` does.
 *
 * @param print takes the lines for people
 * @returns whether everything is as it was signed
 * @throws RangeError when a file can not be read or is not what it should be, naming it.
 */
export async function runAuditVerify(args: AuditVerifyArguments, print: (line: string) => void): Promise<boolean> {
  const publicKeysPem = await Promise.all(args.publicKeyFiles.map(publicKeyIn));
  const [latestCheckpoint, after] = [await checkpointIn(args.checkpointFile), await checkpointIn(args.afterFile)];
  const { expectedEvents, retiredBefore } = args;
  const input = createReadStream(args.exportFile);
  const failed = new Promise<never>((_resolve, reject) => {
    input.on('error', (error) => reject(unreadable(args.exportFile, error)));
  });
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  const verified = verifyExport(lines, {
    publicKeysPem,
    ...(latestCheckpoint === undefined ? {} : { latestCheckpoint }),
    ...(after === undefined ? {} : { after }),
    ...(expectedEvents === undefined ? {} : { expectedEvents }),
    ...(retiredBefore === undefined ? {} : { retiredBefore }),
  });
  const report = await Promise.race([verified, failed]);
  input.destroy();
  for (const line of wordsOf(report)) print(line);
  return report.verified;
}

/** A report in words; the first line says it all. */
export function wordsOf(report: ExportReport): readonly string[] {
  const { verified, events, gaps, checkpoints, retired, retiredAfterKept, tenantId, endProven, firstBad } = report;
  if (!verified) {
    const event =
      firstBad?.sequence === null ? '' : ` (event ${firstBad?.sequence}, ${firstBad?.eventId ?? 'id unknown'})`;
    return [
      `NOT verified: line ${firstBad?.line}${event}: ${firstBad?.reason}`,
      `${events} events in ${checkpoints} batches before it are as they were signed`,
    ];
  }
  return [
    `verified, ${events} events, ${gaps} gaps`,
    `tenant ${tenantId}, ${checkpoints} batches`,
    ...(retired === 0 ? [] : [`${retired} events were removed by retention; their signed checkpoints are there`]),
    ...wordsOnKept(retiredAfterKept),
    endProven
      ? 'the end is the end: it fits what was given apart from the export'
      : 'the end is NOT proven: give a checkpoint that came another way, or the number of events',
  ];
}

async function publicKeyIn(path: string): Promise<string> {
  const pem = await readText(path);
  try {
    checkpointVerifier(pem);
    return pem;
  } catch (cause) {
    if (cause instanceof RangeError) throw new RangeError(`${path} can not be used: ${cause.message}.`, { cause });
    throw cause;
  }
}

/** Removed batches behind kept ones: one line, however many there are. */
function wordsOnKept(ranges: ExportReport['retiredAfterKept']): readonly string[] {
  if (ranges.length === 0) return [];
  const batches = ranges.reduce((sum, range) => sum + range.batches, 0);
  const named = ranges
    .slice(0, RANGES_NAMED)
    .map(({ firstSequence, lastSequence }) => `${firstSequence} to ${lastSequence}`);
  const others = ranges.length - named.length;
  return [
    `${batches} batches after kept ones were removed: events ${named.join(', ')}${others > 0 ? ` and ${others} more ranges` : ''}`,
  ];
}

async function checkpointIn(path: string | undefined): Promise<Checkpoint | undefined> {
  if (path === undefined) return undefined;
  const text = await readText(path);
  const checkpoint = readCheckpoint(parseJson(text));
  if (checkpoint === undefined) throw new RangeError(`${path} holds no checkpoint.`);
  return checkpoint;
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(path: string, cause: unknown): RangeError {
  return new RangeError(`${path} can not be read.`, { cause });
}

function parseJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    // A line of an export is taken as well.
    return typeof value === 'object' && value !== null && 'checkpoint' in value ? value.checkpoint : value;
  } catch {
    return undefined;
  }
}
