import type { Command } from 'commander';
import { CommandError, EXIT } from '../../terminal/exit-codes.ts';
import { type CommandGroup, print } from '../command-group.ts';
import { checkHost } from './host-checks.ts';
import { checkService } from './service-checks.ts';

/** `kms doctor`: what is wrong, and what to do about it. */
export const doctorCommand: CommandGroup = (program, io) => {
  program
    .command('doctor')
    .description('find out what is wrong: settings, database, HSM, Redis, service, clock and token')
    .action(async (_options, command: Command) => {
      const findings = [
        ...(await checkHost(io.environment)),
        ...(await checkService(io.environment, process.cwd(), io.use)),
      ];
      print(io, command, findings, (all) => all.map(({ check, status, message }) => ({ check, status, message })));
      const wrong = findings.filter(({ status }) => status === 'wrong').length;
      if (wrong > 0)
        throw new CommandError(EXIT.failed, `${wrong} of these need attention: each line says what to do.`);
    });
};
