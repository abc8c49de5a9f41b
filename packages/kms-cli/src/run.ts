import { readFileSync } from 'node:fs';
import tab from '@bomb.sh/tab/commander';
import { Command, CommanderError, Option } from 'commander';
import { auditCommands } from './commands/audit-commands.ts';
import type { CommandGroup, GlobalOptions } from './commands/command-group.ts';
import { contextCommands } from './commands/context/context-commands.ts';
import { dataCommands } from './commands/data/data-commands.ts';
import { doctorCommand } from './commands/doctor/doctor-command.ts';
import { inventoryCommand } from './commands/inventory-command.ts';
import { importCommand } from './commands/keys/import-command.ts';
import { keyCommands } from './commands/keys/key-commands.ts';
import { migrateCommands } from './commands/migrate/migrate-commands.ts';
import { reencryptCommand } from './commands/reencrypt/reencrypt-command.ts';
import { rootCommands } from './commands/root-commands.ts';
import { serviceCommands } from './commands/service/service-commands.ts';
import { tenantCommands } from './commands/tenants/tenant-commands.ts';
import { approvalCommands } from './commands/approvals/approval-commands.ts';
import { identityCommands } from './commands/identities/identity-commands.ts';
import { tokenCommands } from './commands/tokens/token-commands.ts';
import { CommandError, EXIT } from './terminal/exit-codes.ts';
import { explainError } from './terminal/explain-error.ts';
import type { CommandIo } from './terminal/io.ts';
import { OUTPUT_FORMATS } from './terminal/output.ts';

/** Every group of commands, in the order of the help. */
const GROUPS: readonly CommandGroup[] = [
  keyCommands,
  dataCommands,
  reencryptCommand,
  migrateCommands,
  importCommand,
  tokenCommands,
  identityCommands,
  approvalCommands,
  tenantCommands,
  inventoryCommand,
  auditCommands,
  contextCommands,
  serviceCommands,
  rootCommands,
  doctorCommand,
];

/** The whole command line, before anything is run. */
export function makeProgram(io: CommandIo): Command {
  const program = new Command('kms')
    .description('QNSP KMS on the command line. Secrets come from the environment or from files, never from arguments.')
    .addOption(new Option('-o, --output <format>', 'how results are written').choices(OUTPUT_FORMATS).default('table'))
    .option('--columns <titles>', 'the columns of a table, separated by commas', (text) => text.split(','))
    .option('--use <context>', 'the context of this command; `kms context list` shows them')
    .version(ownVersion(), '--version', 'print the version')
    // Subcommands take these too, and nobody looks for them at the top.
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .configureOutput({ writeOut: io.out, writeErr: io.err });
  for (const group of GROUPS) group(program, io);
  tab(program, { completionCommandName: 'completion' });
  return program;
}

/** Runs one command line and returns its exit code. */
export async function run(args: readonly string[], given: CommandIo): Promise<number> {
  const io = new ChosenIo(given);
  const program = makeProgram(io);
  let left: string = WITHOUT_FILE;
  program.hook('preAction', (_program, command) => {
    left = leftBy(command.options.map(({ long }) => long));
    io.use = command.optsWithGlobals<GlobalOptions>().use;
  });
  try {
    await program.parseAsync([...args], { from: 'user' });
    return EXIT.done;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    const explained =
      io.signal?.aborted === true ? interrupted(io.signal.reason, left, error) : (explainError(error) ?? fault(error));
    io.err(`${explained.message}\n`);
    if (io.environment['KMS_DEBUG'] === 'true') io.err(`${stackOf(explained.cause ?? explained)}\n`);
    return explained.exitCode;
  }
}

/** What a command works with, once its options are known. */
class ChosenIo implements CommandIo {
  readonly #given: CommandIo;
  use: string | undefined;
  readonly environment: CommandIo['environment'];
  readonly out: CommandIo['out'];
  readonly err: CommandIo['err'];

  constructor(given: CommandIo) {
    this.#given = given;
    this.environment = given.environment;
    this.out = given.out;
    this.err = given.err;
  }

  get terminal() {
    return this.#given.terminal;
  }

  get pipes() {
    return this.#given.pipes;
  }

  // Requested only by those that heed it.
  get signal() {
    return this.#given.signal;
  }
}

function ownVersion(): string {
  // Beside `src` as beside `dist`. It is the package's own file.
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { readonly version: string }).version;
}

const WITHOUT_FILE = 'the change may have been made all the same, so check before you run it again';

/** What an interrupted command with these options leaves. */
function leftBy(options: readonly (string | undefined)[]): string {
  if (!options.includes('--out')) return WITHOUT_FILE;
  // It writes as far as it gets.
  return options.includes('--in') ? 'run it again, and it continues' : 'no output file was written';
}

function interrupted(reason: unknown, left: string, cause: unknown): CommandError {
  const exitCode = typeof reason === 'number' ? reason : EXIT.interrupted;
  return new CommandError(exitCode, `Interrupted: ${left}.`, { cause });
}

/** An unforeseen failure: still one sentence, and the rest on demand, for debugging. */
function fault(cause: unknown): CommandError {
  const what = cause instanceof Error ? (cause.message.split('\n')[0] ?? cause.name) : 'unknown';
  return new CommandError(EXIT.fault, `This is a bug in kms (${what}): report it with what KMS_DEBUG=true prints.`, {
    cause,
  });
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
