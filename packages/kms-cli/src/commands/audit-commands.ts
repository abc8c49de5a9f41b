import type { AuditVerifyArguments } from '@qnsp/kms-audit';
import { writeAtomically } from '@qnsp/kms-client/node';
import { callOptions, connect } from '../connection/connect.ts';
import { CommandError, EXIT } from '../terminal/exit-codes.ts';
import { destinationOf } from '../files/place.ts';
import { writeSmall } from '../files/small-data.ts';
import type { CommandIo } from '../terminal/io.ts';
import { date, oneMore, uuid, wholeNumber } from '../terminal/option-values.ts';
import { addAuditSearch } from './audit-search.ts';
import type { CommandGroup } from './command-group.ts';

/** Batches in one answer of the service. */
const BATCHES_PER_PAGE = 100;

interface VerifyOptions {
  readonly publicKey: readonly string[];
  readonly tenant?: string;
  readonly checkpoint?: string;
  readonly after?: string;
  readonly expectedEvents?: number;
  readonly retiredBefore?: Date;
}

interface ExportOptions {
  readonly out: string;
  readonly checkpointOut?: string;
  readonly force?: boolean;
}

/** `kms audit …`: evidence for auditors. docs/audit.md is a session with it. */
export const auditCommands: CommandGroup = (program, io) => {
  const audit = program.command('audit').description('search and export evidence, and verify it without the service');

  audit
    .command('export')
    .description('export all evidence of the tenant up to its newest checkpoint, as JSON Lines')
    .requiredOption('--out <file>', 'where the export goes')
    .option('--checkpoint-out <file>', 'also write that checkpoint to this file, to be kept apart from the export')
    .option('--force', 'overwrite existing files')
    .action((options: ExportOptions) => exportEvidence(io, options));

  audit
    .command('verify')
    .argument('<export>', 'the export')
    .description('verify an export offline; exits with 65 and names the place if anything is missing or was changed')
    .requiredOption('--public-key <file>', 'a public key that checkpoints may be signed with; can be repeated', oneMore)
    .option('--tenant <id>', 'the tenant whose evidence it must be; any other is refused', uuid)
    .option('--checkpoint <file>', 'a checkpoint obtained separately from the export; proves that the end is complete')
    .option('--after <file>', 'the last checkpoint of the export before this one')
    .option('--expected-events <number>', 'the number of events that there must be', wholeNumber)
    .option('--retired-before <date>', 'accept that events sealed before then were removed by retention', date)
    .action((exportFile: string, options: VerifyOptions) => verifyEvidence(io, exportFile, options));
  addAuditSearch(audit, io);
};

async function exportEvidence(io: CommandIo, { out, checkpointOut, force = false }: ExportOptions): Promise<void> {
  const [destination, checkpoint] = [
    destinationOf(out, force, io),
    checkpointOut === undefined ? undefined : destinationOf(checkpointOut, force, io),
  ];
  if (destination.kind === 'pipe')
    throw new CommandError(EXIT.usage, 'The export is written to a file: name one with --out.');
  const { readCheckpoint, runAuditExport } = await evidenceModule();
  const kms = connect(io);
  // Requested before there is a file that a signal would leave behind.
  const call = callOptions(io);
  const latest = await writeAtomically(destination.path, destination.overwrite, async (file) => {
    const exported = await runAuditExport(
      {
        latestCheckpoint: async () => readCheckpoint((await kms.listAuditCheckpoints({ limit: 1 }, call)).items[0]),
        page: (after) => kms.exportAudit({ format: 'jsonl', batches: BATCHES_PER_PAGE, after }, call),
      },
      (text) => file.writeFile(text),
    );
    if (exported === undefined)
      throw new CommandError(
        EXIT.failed,
        'There is no evidence yet: nothing has been done, or KMS_EVIDENCE_ENABLED is off.',
      );
    return exported;
  });
  // A checkpoint of a nonexistent export would be taken for the proof of another one.
  if (checkpoint !== undefined) await writeSmall(checkpoint, Buffer.from(`${JSON.stringify(latest)}\n`), io.signal);
  io.out(`exported ${latest.lastSequence} events\n`);
}

async function verifyEvidence(io: CommandIo, exportFile: string, options: VerifyOptions): Promise<void> {
  const { publicKey, tenant, checkpoint, after, expectedEvents, retiredBefore } = options;
  const verified = await verify(
    {
      exportFile,
      publicKeyFiles: publicKey,
      ...(tenant === undefined ? {} : { tenantId: tenant }),
      ...(checkpoint === undefined ? {} : { checkpointFile: checkpoint }),
      ...(after === undefined ? {} : { afterFile: after }),
      ...(expectedEvents === undefined ? {} : { expectedEvents }),
      ...(retiredBefore === undefined ? {} : { retiredBefore }),
    },
    (line) => io.out(`${line}\n`),
  );
  if (!verified) throw new CommandError(EXIT.data, 'The evidence is not what was signed: the line above says where.');
}

async function verify(args: AuditVerifyArguments, print: (line: string) => void): Promise<boolean> {
  const { runAuditVerify } = await evidenceModule();
  try {
    return await runAuditVerify(args, print);
  } catch (cause) {
    // A file that cannot be read or is not what it should be; the message names it.
    if (cause instanceof RangeError) throw new CommandError(EXIT.input, cause.message, { cause });
    throw cause;
  }
}

/** Loaded on demand: it is larger than everything else together. */
function evidenceModule() {
  return import('@qnsp/kms-audit');
}
