import type { Tenant } from '@qnsp/kms-client';
import type { Command } from 'commander';
import { callOptions, connect } from '../../connection/connect.ts';
import { type Columns, type CommandGroup, print, rowOf } from '../command-group.ts';

const COLUMNS: Columns<Tenant> = {
  id: (tenant) => tenant.tenantId,
  name: (tenant) => tenant.name,
  state: (tenant) => tenant.state,
  created: (tenant) => tenant.createdAt,
};
const row = rowOf(COLUMNS);

/** `kms tenants …`: the tenants of the service. */
export const tenantCommands: CommandGroup = (program, io) => {
  const tenants = program.command('tenants').description('create, list and shred tenants');
  tenants
    .command('create')
    .description('create a tenant; needs a platform credential')
    .requiredOption('--name <name>', 'a human-readable name')
    .option('--id <id>', 'its id (default: a new one)')
    .action(async ({ name, id }: { readonly name: string; readonly id?: string }, command: Command) => {
      const made = await connect(io).createTenant({ name, tenantId: id }, callOptions(io));
      print(io, command, made, (tenant) => [row(tenant)]);
    });
  tenants
    .command('list')
    .description('list the tenants of the service; needs a platform credential')
    .action(async (_options, command: Command) => {
      const items: Tenant[] = [];
      for await (const tenant of connect(io).allTenants({ limit: 200 }, callOptions(io))) items.push(tenant);
      print(io, command, items, (all) => all.map(row), Object.keys(COLUMNS));
    });
  tenants
    .command('shred')
    .argument('<tenant-id>')
    .description('destroy the master key of a tenant, and with it all its keys, immediately and irrevocably')
    .requiredOption('--confirm <text>', 'SHRED- and the id of the tenant')
    .requiredOption('--reason <text>', 'the reason, kept in the evidence')
    .action(
      async (tenantId: string, options: { readonly confirm: string; readonly reason: string }, command: Command) => {
        const { confirm, reason } = options;
        const shredded = await connect(io).shredTenant({ tenantId, confirmation: confirm, reason }, callOptions(io));
        print(io, command, shredded, (tenant) => [row(tenant)]);
      },
    );
};
