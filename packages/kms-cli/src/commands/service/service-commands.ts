import type { Health } from '@qnsp/kms-client';
import type { Command } from 'commander';
import { callOptions, connect } from '../../connection/connect.ts';
import { CommandError, EXIT } from '../../terminal/exit-codes.ts';
import type { CommandIo } from '../../terminal/io.ts';
import { type CommandGroup, print } from '../command-group.ts';

interface ActivateOptions {
  readonly sdkId?: string;
  readonly sdkVersion?: string;
  readonly runtime?: string;
}

/** `kms service …`: what the service reports about itself. */
export const serviceCommands: CommandGroup = (program, io) => {
  const service = program.command('service').description('show what the service reports about itself');
  addHealth(service, io, 'health', 'show the health of the service; exits with 69 while it cannot serve', (kms) =>
    kms.getHealth({}, callOptions(io)),
  );
  addHealth(service, io, 'live', 'show whether the process is alive', (kms) => kms.getLiveness({}, callOptions(io)));
  addHealth(service, io, 'ready', 'show whether it accepts requests', (kms) => kms.getReadiness({}, callOptions(io)));
  service
    .command('metrics')
    .description('print its metrics in the Prometheus format')
    .action(async () => {
      io.out(await connect(io).getMetrics({}, callOptions(io)));
    });
  service
    .command('openapi')
    .description('print its interface as an OpenAPI document in JSON')
    .action(async () => {
      io.out(`${JSON.stringify(await connect(io).getOpenApi({}, callOptions(io)), undefined, 2)}\n`);
    });
  service
    .command('activate')
    .description('announce a client library, as such libraries do when they start')
    .option('--sdk-id <id>', 'which one')
    .option('--sdk-version <version>', 'its version')
    .option('--runtime <runtime>', 'its platform')
    .action(async (options: ActivateOptions, command: Command) => {
      const answer = await connect(io).activateSdk(options, callOptions(io));
      print(io, command, answer, ({ tenantId, tier, expiresAt }) => [{ tenant: tenantId, tier, expires: expiresAt }]);
    });
};

function addHealth(
  service: Command,
  io: CommandIo,
  name: string,
  description: string,
  look: (kms: ReturnType<typeof connect>) => Promise<Health>,
): void {
  service
    .command(name)
    .description(description)
    .action(async (_options, command: Command) => {
      const health = await look(connect(io));
      print(io, command, health, rows);
      if (health.status === 'critical')
        throw new CommandError(EXIT.unavailable, 'The service cannot serve: the checks above say why.');
    });
}

function rows({ status, version, checks }: Health) {
  return [
    { check: 'service', status, message: `version ${version}` },
    ...Object.entries(checks).map(([check, one]) => ({ check, status: one.status, message: one.message ?? null })),
  ];
}
