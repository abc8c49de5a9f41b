import type { KeyStatistics, KeyUsage, PublicKey, RotationSchedule } from '@qnsp/kms-client';
import { type Command, Option } from 'commander';
import { callOptions, connect } from '../../connection/connect.ts';
import { destinationOf, PIPE } from '../../files/place.ts';
import { writeSmall } from '../../files/small-data.ts';
import type { CommandIo } from '../../terminal/io.ts';
import { wholeNumber } from '../../terminal/option-values.ts';
import { type OutputOptions, withOutputOptions } from '../data/file-options.ts';
import { type Columns, print, rowOf, warn } from '../command-group.ts';
import { KEY_HELP, keyIdOf } from '../named-key.ts';

const SCHEDULE: Columns<RotationSchedule> = {
  id: (schedule) => schedule.keyId,
  name: (schedule) => schedule.name,
  algorithm: (schedule) => schedule.algorithm,
  period: (schedule) => schedule.rotationPeriod,
  'next rotation': (schedule) => schedule.nextRotationAt,
};

const USAGE: Columns<KeyUsage['versions'][number]> = {
  version: ({ version }) => version,
  state: ({ state }) => state,
  algorithm: ({ algorithm }) => algorithm,
  protected: ({ protectedAt }) => protectedAt,
  processed: ({ processedAt }) => processedAt,
  used: ({ isUsed }) => (isUsed === null ? 'unknown' : isUsed ? 'yes' : 'no'),
};

/** What is known about keys without showing each of them whole. */
export function addKeyFacts(keys: Command, io: CommandIo): void {
  addPublicKey(keys, io);
  keys
    .command('stats')
    .description('count the keys of the tenant, and their operations this month')
    .action(async (_options, command: Command) => {
      print(io, command, await connect(io).getKeyStats({}, callOptions(io)), statistics);
    });
  keys
    .command('usage')
    .argument('<key>', KEY_HELP)
    .description('show which of its versions were used lately')
    .option('--days <days>', 'how far back (default: 30)', wholeNumber)
    .action(async (named: string, { days }: { readonly days?: number }, command: Command) => {
      const kms = connect(io);
      const usage = await kms.getKeyUsage({ keyId: await keyIdOf(kms, named, io), days }, callOptions(io));
      print(io, command, usage, ({ versions }) => versions.map(rowOf(USAGE)), Object.keys(USAGE));
    });
  keys
    .command('schedules')
    .description('list the keys that rotate automatically; with --within only those that are due')
    .option('--limit <number>', 'maximum number of keys to list', wholeNumber)
    .option('--within <days>', 'only keys that rotate within this many days', wholeNumber)
    .action(async ({ limit, within }: { limit?: number; within?: number }, command: Command) => {
      const kms = connect(io);
      const { items, warnings } =
        within === undefined
          ? await kms.listRotationSchedules({ limit }, callOptions(io))
          : await kms.listUpcomingRotations({ limit, withinDays: within }, callOptions(io));
      print(io, command, items, (all) => all.map(rowOf(SCHEDULE)), Object.keys(SCHEDULE));
      warn(io, warnings);
    });
}

interface PublicKeyOptions extends OutputOptions {
  readonly keyVersion?: number;
  readonly format: 'pem' | 'der';
}

function addPublicKey(keys: Command, io: CommandIo): void {
  withOutputOptions(
    keys
      .command('public-key')
      .argument('<key>', KEY_HELP)
      .description('write its public key as SubjectPublicKeyInfo')
      .option('--key-version <number>', 'the version of the key (default: the current one)', wholeNumber)
      .addOption(new Option('--format <format>', 'its encoding').choices(['pem', 'der']).default('pem')),
    'standard output',
  ).action(async (named: string, { keyVersion, format, out = PIPE, force = false }: PublicKeyOptions) => {
    const destination = destinationOf(out, force, io, format === 'pem');
    const kms = connect(io);
    const keyId = await keyIdOf(kms, named, io);
    const found: PublicKey = await kms.getPublicKey({ keyId, version: keyVersion }, callOptions(io));
    const bytes = format === 'pem' ? Buffer.from(found.publicKeyPem) : found.publicKey;
    await writeSmall(destination, bytes, io.signal);
  });
}

function statistics({ total, byState, byAlgorithm, operationsThisMonth }: KeyStatistics) {
  return [
    { what: 'keys', count: total },
    ...Object.entries(byState).map(([state, count]) => ({ what: `state ${state}`, count })),
    ...Object.entries(byAlgorithm).map(([algorithm, count]) => ({ what: `algorithm ${algorithm}`, count })),
    { what: 'operations this month', count: operationsThisMonth },
  ];
}
