import { readFileSync } from 'node:fs';
import { Command, CommanderError, Option } from 'commander';
import { auditCommands } from './commands/audit-commands.ts';
import type { CommandGroup } from './commands/command-group.ts';
import { dataCommands } from './commands/data/data-commands.ts';
import { doctorCommand } from './commands/doctor/doctor-command.ts';
import { importCommand } from './commands/keys/import-command.ts';
import { keyCommands } from './commands/keys/key-commands.ts';
import { rootCommands } from './commands/root-commands.ts';
import { tokenCommands } from './commands/tokens/token-commands.ts';
import { CommandError, EXIT } from './exit-codes.ts';
import { explainError } from './explain-error.ts';
import type { CommandIo } from './io.ts';
import { OUTPUT_FORMATS } from './output.ts';

/** Every group of commands, in the order of the help. */
const GROUPS: readonly CommandGroup[] = [
  keyCommands,
  dataCommands,
  importCommand,
  tokenCommands,
  auditCommands,
  rootCommands,
  doctorCommand,
];

/** Runs one command line and answers its exit code. */
export async function run(args: readonly string[], io: CommandIo): Promise<number> {
  const program = new Command('kms')
    .description('QNSP KMS on the command line. Secrets come from the environment or from files, never from arguments.')
    .addOption(new Option('--output <format>', 'how results are written').choices(OUTPUT_FORMATS).default('table'))
    .version(ownVersion(), '--version', 'print the version')
    .exitOverride()
    .configureOutput({ writeOut: io.out, writeErr: io.err });
  for (const group of GROUPS) group(program, io);
  let writesFile = false;
  program.hook('preAction', (_program, command) => {
    writesFile = command.options.some(({ long }) => long === '--out');
  });
  try {
    await program.parseAsync([...args], { from: 'user' });
    return EXIT.done;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    const explained =
      io.signal?.aborted === true ? interrupted(io.signal.reason, writesFile, error) : explainError(error);
    if (explained === undefined) throw error;
    io.err(`${explained.message}\n`);
    return explained.exitCode;
  }
}

function ownVersion(): string {
  // Beside `src` as beside `dist`. It is the package's own file.
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { readonly version: string }).version;
}

function interrupted(reason: unknown, writesFile: boolean, cause: unknown): CommandError {
  const exitCode = typeof reason === 'number' ? reason : EXIT.interrupted;
  const rest = writesFile
    ? 'no output file was written'
    : 'what it was to change may have been changed all the same, so look before you run it again';
  return new CommandError(exitCode, `Interrupted: ${rest}.`, { cause });
}
