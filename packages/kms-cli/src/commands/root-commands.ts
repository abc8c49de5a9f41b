import type { Command } from 'commander';
import { CommandError, EXIT } from '../terminal/exit-codes.ts';
import type { CommandIo } from '../terminal/io.ts';
import { type CommandGroup, print } from './command-group.ts';
import { type AddedRoot, loadRootCeremony, type RootOperations, type RootsReport } from './root-ceremony-module.ts';

/** `kms root …`: the roots that wrap the master keys. Runs on the host of the service, with its environment. */
export const rootCommands: CommandGroup = (program, io) => {
  const root = program.command('root').description('the roots of the service; run on its host, with its environment');

  root
    .command('status')
    .description('show which roots the database uses, which are configured, and what each wraps')
    .action(async (_options, command: Command) => {
      writeReport(io, command, await operate(io, (roots) => roots.status()));
    });

  root
    .command('init')
    .description('start using the configured roots in a fresh database, and create those that do not exist')
    .action(async (_options, command: Command) => {
      writeReport(io, command, await operate(io, (roots) => roots.init()));
    });

  root
    .command('add-provider')
    .argument('<provider>', 'a configured provider, e.g. hsm')
    .description('wrap every master key under the root of another provider; run it again if it was interrupted')
    .action(async (provider: string, _options, command: Command) => {
      writeAdded(io, command, await operate(io, (roots) => roots.addProvider(provider)));
    });

  root
    .command('retire-provider')
    .argument('<provider>', 'the provider, e.g. software')
    .option('--check-value <hex>', 'which of its roots, if it has two')
    .description('retire a root and remove its wraps; refused for the last one')
    .action(async (provider: string, options: { checkValue?: string }, command: Command) => {
      const retired = await operate(io, (roots) => roots.retireProvider(provider, options.checkValue));
      print(io, command, { retired }, () => [{ ...retired, 'in use': false }]);
    });

  root
    .command('rotate')
    .argument('<provider>', 'the provider whose root to replace')
    .option('--new-label <label>', 'the label of the new root in the HSM')
    .description(
      'create a new root and wrap every master key under it; the old one serves until it is retired. The software root takes its new key from KMS_NEW_ROOT_KEY or KMS_NEW_ROOT_KEY_FILE',
    )
    .action(async (provider: string, options: { newLabel?: string }, command: Command) => {
      writeAdded(io, command, await operate(io, (roots) => roots.rotate(provider, options.newLabel)));
    });
};

async function operate<T>(io: CommandIo, work: (roots: RootOperations) => Promise<T>): Promise<T> {
  const ceremony = await loadRootCeremony();
  try {
    return await work(ceremony.rootOperations(io.environment));
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    if (ceremony.isConfigurationError(error))
      throw new CommandError(EXIT.configuration, error.message, { cause: error });
    const code = ceremony.codeOf(error);
    if (code === undefined) throw error;
    throw new CommandError(exitCodeOf(code), `${code}: ${error.message}`, { cause: error });
  }
}

function exitCodeOf(code: string): number {
  if (code === 'HSM_UNAVAILABLE' || code === 'STORE_UNAVAILABLE') return EXIT.unavailable;
  return code === 'BAD_REQUEST' ? EXIT.usage : EXIT.failed;
}

function writeReport(io: CommandIo, command: Command, report: RootsReport): void {
  print(io, command, report, ({ roots, masterKeys }) =>
    roots.map((root) => ({
      provider: root.providerId,
      'check value': root.checkValue,
      'in use': root.inUse,
      configured: root.configured,
      answers: root.answers,
      wraps: `${root.wraps} of ${masterKeys}`,
    })),
  );
}

function writeAdded(io: CommandIo, command: Command, added: AddedRoot): void {
  print(io, command, added, ({ root, added: wraps }) => [
    { provider: root.providerId, 'check value': root.checkValue, 'wraps added': wraps },
  ]);
}
