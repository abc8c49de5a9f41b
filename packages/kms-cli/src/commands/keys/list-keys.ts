import type { Key, ListKeysInput } from '@qnsp/kms-client';
import { type Command, Option } from 'commander';
import { callOptions, connect } from '../../connection/connect.ts';
import type { CommandIo } from '../../terminal/io.ts';
import { wholeNumber } from '../../terminal/option-values.ts';
import { writeKeys } from './key-output.ts';

interface ListOptions extends Pick<ListKeysInput, 'state' | 'algorithm' | 'name'> {
  readonly limit?: number;
}

/** Those of the contract, none left out: the compiler knows them. */
const STATES: Readonly<Record<Key['state'], true>> = {
  active: true,
  suspended: true,
  deactivated: true,
  revoked: true,
  destroyed: true,
};

export function addListKeys(keys: Command, io: CommandIo): void {
  keys
    .command('list')
    .description('list the keys of the tenant')
    .addOption(new Option('--state <state>', 'only keys in this state').choices(Object.keys(STATES)))
    .option('--algorithm <name>', 'only keys with this algorithm')
    .option('--name <name>', 'only keys with this name')
    .option('--limit <number>', 'maximum number of keys to list (default: all)', wholeNumber)
    .action(async ({ limit = Number.POSITIVE_INFINITY, ...filter }: ListOptions, command: Command) => {
      const found: Key[] = [];
      const all = connect(io).allKeys({ ...filter, limit: Math.min(limit, 100) }, callOptions(io));
      for await (const key of all) {
        found.push(key);
        if (found.length >= limit) break;
      }
      writeKeys(io, command, found);
    });
}
