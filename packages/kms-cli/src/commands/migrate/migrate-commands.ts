import { setTimeout as sleep } from 'node:timers/promises';
import type { CreateMigrationInput, KmsClient, Migration, PlannedKey } from '@qnsp/kms-client';
import { type Command, Option } from 'commander';
import { callOptions, connect } from '../../connection/connect.ts';
import { CommandError, EXIT } from '../../terminal/exit-codes.ts';
import type { CommandIo } from '../../terminal/io.ts';
import { oneMore } from '../../terminal/option-values.ts';
import { type Columns, type CommandGroup, print, rowOf, warn } from '../command-group.ts';
import { KEY_HELP, keyIdOf } from '../named-key.ts';

/** How often `--watch` looks. */
const LOOKS_EACH_MS = 1000;

interface StartOptions {
  readonly to: string;
  readonly algorithm?: string;
  // The service knows its purposes and reports unknown ones.
  readonly purpose?: NonNullable<CreateMigrationInput['selector']>['purpose'];
  readonly protection?: 'software' | 'hsm';
  readonly name?: string;
  readonly key?: readonly string[];
  readonly dryRun?: boolean;
  readonly watch?: boolean;
}

const COLUMNS: Columns<Migration> = {
  id: ({ migrationId }) => migrationId,
  state: ({ state }) => state,
  to: ({ target }) => target,
  started: ({ createdAt }) => createdAt,
  keys: ({ keys }) => `${keys.examined} of ${keys.total}`,
  upgraded: ({ keys }) => keys.upgraded,
  unchanged: ({ keys }) => keys.unchanged,
  waiting: ({ keys }) => keys.waiting,
  refused: ({ keys }) => refusalsOf(keys.refused),
};
const row = rowOf(COLUMNS);

const PLAN: Columns<PlannedKey> = {
  key: ({ keyId }) => keyId,
  name: ({ name }) => name,
  algorithm: ({ algorithm }) => algorithm,
  action: ({ action }) => action,
  target: ({ target }) => target,
  refusal: ({ refusal }) => refusal,
};

function refusalsOf(refused: Readonly<Record<string, number>>): string | null {
  const texts = Object.entries(refused).map(([reason, count]) => `${count} ${reason}`);
  return texts.length === 0 ? null : texts.join(', ');
}

/** `kms migrate …`: many keys to another algorithm. */
export const migrateCommands: CommandGroup = (program, io) => {
  const migrate = program.command('migrate').description('move many keys to another algorithm, in the background');
  addStart(migrate, io);
  migrate
    .command('list')
    .description('list the migrations of the tenant, the newest first')
    .action(async (_options, command: Command) => {
      const items: Migration[] = [];
      const kms = connect(io);
      for (let cursor: string | null | undefined; cursor !== null; ) {
        const page = await kms.listMigrations(
          { limit: 200, ...(cursor === undefined ? {} : { cursor }) },
          callOptions(io),
        );
        items.push(...page.items);
        warn(io, page.warnings);
        cursor = page.nextCursor;
      }
      print(io, command, items, (all) => all.map(row), Object.keys(COLUMNS));
    });
  migrate
    .command('status')
    .argument('<migration-id>')
    .description('show how far a migration has got')
    .option('--watch', 'wait until it has ended')
    .action(async (migrationId: string, { watch = false }: { readonly watch?: boolean }, command: Command) => {
      const kms = connect(io);
      const found = await kms.getMigration({ migrationId }, callOptions(io));
      print(io, command, watch ? await ended(kms, io, found) : found, (one) => [row(one)]);
    });
  migrate
    .command('cancel')
    .argument('<migration-id>')
    .description('end a running migration; what it upgraded stays so')
    .action(async (migrationId: string, _options: object, command: Command) => {
      const cancelled = await connect(io).cancelMigration({ migrationId }, callOptions(io));
      print(io, command, cancelled, (one) => [row(one)]);
    });
};

function addStart(migrate: Command, io: CommandIo): void {
  migrate
    .command('start')
    .description('give each key a new version under another algorithm; what they protected before stays readable')
    .option('--to <algorithm>', 'quantum-safe, or an algorithm such as ML-DSA-87', 'quantum-safe')
    .option('--algorithm <name>', 'only keys of this algorithm')
    .option('--purpose <purpose>', 'only keys for this, such as signing')
    .addOption(new Option('--protection <level>', 'only keys that are there').choices(['software', 'hsm']))
    .option('--name <name>', 'only keys of this name')
    .option('--key <key>', `only this key; can be repeated; ${KEY_HELP}`, oneMore)
    .option('--dry-run', 'change nothing, and list what would be done with which key')
    .option('--watch', 'wait until it has ended')
    .action(async ({ dryRun = false, watch = false, ...options }: StartOptions, command: Command) => {
      const kms = connect(io);
      const input = await inputOf(kms, io, options);
      if (dryRun) {
        const plan = await wholePlan(kms, io, input);
        return print(io, command, plan, (all) => all.map(rowOf(PLAN)), Object.keys(PLAN));
      }
      const { migration } = await kms.createMigration(input, callOptions(io));
      if (migration === null) throw new CommandError(EXIT.configuration, 'The service answered with no migration.');
      print(io, command, watch ? await ended(kms, io, migration) : migration, (one) => [row(one)]);
    });
}

async function inputOf(
  kms: KmsClient,
  io: CommandIo,
  { to, algorithm, purpose, protection, name, key }: Omit<StartOptions, 'dryRun' | 'watch'>,
): Promise<CreateMigrationInput> {
  const keyIds: string[] = [];
  for (const named of key ?? []) keyIds.push(await keyIdOf(kms, named, io));
  return {
    target: to,
    selector: {
      ...(algorithm === undefined ? {} : { algorithm }),
      ...(purpose === undefined ? {} : { purpose }),
      ...(protection === undefined ? {} : { protectionLevel: protection }),
      ...(name === undefined ? {} : { name }),
      ...(key === undefined ? {} : { keyIds }),
    },
  };
}

async function wholePlan(kms: KmsClient, io: CommandIo, input: CreateMigrationInput): Promise<readonly PlannedKey[]> {
  const items: PlannedKey[] = [];
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const page = { dryRun: true, limit: 200, ...(cursor === undefined ? {} : { cursor }) };
    const { plan } = await kms.createMigration({ ...input, ...page }, callOptions(io));
    items.push(...(plan?.items ?? []));
    warn(io, plan?.warnings);
    cursor = plan?.nextCursor ?? null;
  }
  return items;
}

/** The migration when it has ended; says how far it is on standard error, where that is a terminal. */
async function ended(kms: KmsClient, io: CommandIo, from: Migration): Promise<Migration> {
  const { migrationId } = from;
  const isShown = io.pipes?.errorIsTerminal === true;
  let seen = from;
  while (seen.state === 'running') {
    if (isShown) io.err(`\r\u001B[K${seen.keys.examined} of ${seen.keys.total} keys, ${seen.keys.upgraded} upgraded`);
    await sleep(LOOKS_EACH_MS, undefined, callOptions(io));
    seen = await kms.getMigration({ migrationId }, callOptions(io));
  }
  if (isShown) io.err('\r\u001B[K');
  return seen;
}
