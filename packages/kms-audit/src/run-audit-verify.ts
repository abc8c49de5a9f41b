import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Checkpoint } from '@qnsp/kms-core/ports';
import { checkpointVerifier } from './checkpoint-signature.ts';
import { readCheckpoint } from './export-lines.ts';
import { wordsOf } from './export-report.ts';
import { type Line, linesOf } from './lines.ts';
import { verifyExport } from './verify-export.ts';

/** What an export is verified against: the arguments of `kms audit verify`. */
export interface AuditVerifyArguments {
  /** The export: JSON Lines. */
  readonly exportFile: string;
  /** The public keys that checkpoints may be signed with, in PEM. */
  readonly publicKeyFiles: readonly string[];
  /** Whose evidence it must be. */
  readonly tenantId?: string;
  /** A checkpoint as JSON, obtained separately from the export. */
  readonly checkpointFile?: string;
  /** The last checkpoint of an earlier export, as JSON; this export continues after it. */
  readonly afterFile?: string;
  readonly expectedEvents?: number;
  readonly retiredBefore?: Date;
}

/**
 * Verifies an export in files and says the outcome in words: what `kms audit verify` does.
 *
 * @param print takes the lines for people
 * @returns whether everything is as signed
 * @throws RangeError when a file cannot be read or is not what it should be, naming it.
 */
export async function runAuditVerify(args: AuditVerifyArguments, print: (line: string) => void): Promise<boolean> {
  const publicKeysPem = await Promise.all(args.publicKeyFiles.map(publicKeyIn));
  const [latestCheckpoint, after] = [await checkpointIn(args.checkpointFile), await checkpointIn(args.afterFile)];
  const { expectedEvents, retiredBefore, tenantId } = args;
  const report = await verifyExport(linesIn(args.exportFile), {
    publicKeysPem,
    ...(tenantId === undefined ? {} : { tenantId }),
    ...(latestCheckpoint === undefined ? {} : { latestCheckpoint }),
    ...(after === undefined ? {} : { after }),
    ...(expectedEvents === undefined ? {} : { expectedEvents }),
    ...(retiredBefore === undefined ? {} : { retiredBefore }),
  });
  for (const line of wordsOf(report)) print(line);
  return report.verified;
}

async function* linesIn(path: string): AsyncGenerator<Line> {
  try {
    yield* linesOf(createReadStream(path));
  } catch (error) {
    throw unreadable(path, error);
  }
}

async function publicKeyIn(path: string): Promise<string> {
  const pem = await readText(path);
  try {
    checkpointVerifier(pem);
    return pem;
  } catch (cause) {
    if (cause instanceof RangeError) throw new RangeError(`${path} cannot be used: ${cause.message}.`, { cause });
    throw cause;
  }
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
  return new RangeError(`${path} cannot be read.`, { cause });
}

function parseJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    // A line of an export is accepted as well.
    return typeof value === 'object' && value !== null && 'checkpoint' in value ? value.checkpoint : value;
  } catch {
    return undefined;
  }
}
