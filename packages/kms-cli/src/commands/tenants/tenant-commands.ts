import type { Tenant, TenantDetails, TenantUsage } from '@qnsp/kms-client';
import type { Command } from 'commander';
import { callOptions, connect } from '../../connection/connect.ts';
import { CommandError, EXIT } from '../../terminal/exit-codes.ts';
import { wholeNumber, wholeNumberOrZero } from '../../terminal/option-values.ts';
import { type Columns, type CommandGroup, print, rowOf } from '../command-group.ts';

const COLUMNS: Columns<Tenant> = {
  id: (tenant) => tenant.tenantId,
  name: (tenant) => tenant.name,
  state: (tenant) => tenant.state,
  created: (tenant) => tenant.createdAt,
  'units/s': ({ limits }) => limits.rate?.unitsPerSecond ?? null,
  burst: ({ limits }) => limits.rate?.burst ?? null,
};
const row = rowOf(COLUMNS);

const detailsRow = rowOf<TenantDetails>({
  id: (tenant) => tenant.tenantId,
  name: (tenant) => tenant.name,
  state: (tenant) => tenant.state,
  'master key': ({ masterKey }) => masterKey?.version ?? null,
  made: ({ masterKey }) => masterKey?.createdAt ?? null,
  'sealed again': ({ masterKey }) => masterKey && `${masterKey.resealing.done} of ${masterKey.resealing.total}`,
  oldest: ({ masterKey }) => masterKey?.oldestVersion ?? null,
});

const QUOTAS = [
  'keys',
  'keyVersions',
  'tokens',
  'identityBindings',
  'operationsPerMonth',
  'keptAnswers',
  'destroyGuardDays',
  'requireApproval',
] as const;

type LimitOptions = Partial<Readonly<Record<(typeof QUOTAS)[number], number>>> & {
  readonly unitsPerSecond?: number;
  readonly burst?: number;
  readonly asForAll?: boolean;
};

function limitsIn({ unitsPerSecond, burst, asForAll = false, ...quotas }: LimitOptions) {
  const some = unitsPerSecond !== undefined || Object.keys(quotas).length > 0;
  if (asForAll === some || (burst !== undefined && unitsPerSecond === undefined))
    throw new CommandError(
      EXIT.usage,
      'Give --units-per-second, with --burst if you like, or the number of something, or --as-for-all.',
    );
  if (asForAll) return { rate: null, ...Object.fromEntries(QUOTAS.map((name) => [name, null])) };
  if (unitsPerSecond === undefined) return quotas;
  return { rate: { unitsPerSecond, ...(burst === undefined ? {} : { burst }) }, ...quotas };
}

/** A row for each limit. */
function usageRows(usage: TenantUsage) {
  const any = 'any number';
  const { rate } = usage;
  const quotaRow = (limit: string, used: number | null, maximum: number | null) => ({
    limit,
    used,
    maximum: maximum ?? any,
  });
  return [
    { limit: 'units/s', used: null, maximum: rate?.unitsPerSecond ?? any },
    { limit: 'burst', used: null, maximum: rate?.burst ?? any },
    quotaRow('keys', usage.keys.used, usage.keys.maximum),
    quotaRow('versions of each key', null, usage.keyVersions.maximum),
    quotaRow('API tokens', usage.tokens.used, usage.tokens.maximum),
    quotaRow('identity bindings', usage.identityBindings.used, usage.identityBindings.maximum),
    quotaRow('operations this month', usage.operationsThisMonth, usage.operationsPerMonth.maximum),
    quotaRow('kept answers', usage.keptAnswers.used, usage.keptAnswers.maximum),
  ];
}

/** `kms tenants …`: the tenants of the service. */
export const tenantCommands: CommandGroup = (program, io) => {
  const tenants = program
    .command('tenants')
    .description('create, list, limit and shred tenants, show what they use, and rotate their master keys');
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
    .command('show')
    .argument('<tenant-id>')
    .description('show a tenant and how far the rotation of its master key has got')
    .action(async (tenantId: string, _options: object, command: Command) => {
      const found = await connect(io).getTenant({ tenantId }, callOptions(io));
      print(io, command, found, (tenant) => [detailsRow(tenant)]);
    });
  tenants
    .command('rotate-master-key')
    .argument('<tenant-id>')
    .description('give a tenant a new master key; what is under the earlier one is sealed again in the background')
    .action(async (tenantId: string, _options: object, command: Command) => {
      const rotated = await connect(io).rotateMasterKey({ tenantId }, callOptions(io));
      print(io, command, rotated, (tenant) => [detailsRow(tenant)]);
    });
  tenants
    .command('limits')
    .argument('<tenant-id>')
    .description('set how much a tenant may take and have, in place of what holds for all; needs a platform credential')
    .option(
      '--units-per-second <units>',
      'units of cost in a second; the cheapest call costs 1, and 0 is no limit',
      wholeNumberOrZero,
    )
    .option('--burst <units>', 'how many at once after a pause (default: as many as in a second)', wholeNumber)
    .option('--keys <number>', 'how many keys; 0 is any number, for the next ones as well', wholeNumberOrZero)
    .option('--key-versions <number>', 'how many versions of each key', wholeNumberOrZero)
    .option('--tokens <number>', 'how many API tokens', wholeNumberOrZero)
    .option('--identity-bindings <number>', 'how many identity bindings', wholeNumberOrZero)
    .option('--operations-per-month <number>', 'how many operations in a month', wholeNumberOrZero)
    .option('--kept-answers <number>', 'how many answers kept under idempotency keys', wholeNumberOrZero)
    .option(
      '--destroy-guard-days <days>',
      'for how long after its last use destroying a key takes an acknowledgement; 0 is no guard',
      wholeNumberOrZero,
    )
    .option(
      '--require-approval <number>',
      'how many others have to approve what cannot be undone; 0 is nobody',
      wholeNumberOrZero,
    )
    .option('--as-for-all', 'what holds for all tenants holds for this one as well')
    .action(async (tenantId: string, options: LimitOptions, command: Command) => {
      const changed = await connect(io).updateTenant({ tenantId, limits: limitsIn(options) }, callOptions(io));
      print(io, command, changed, (tenant) => [row(tenant)]);
    });
  tenants
    .command('usage')
    .argument('<tenant-id>')
    .description('show what a tenant uses of each of its limits')
    .action(async (tenantId: string, _options, command: Command) => {
      const usage = await connect(io).getTenantUsage({ tenantId }, callOptions(io));
      print(io, command, usage, usageRows);
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
