import type { KeyPolicy } from '@qnsp/kms-client';
import type { Command } from 'commander';
import { parse } from 'yaml';
import { callOptions, connect } from '../../connection/connect.ts';
import { CommandError, EXIT } from '../../terminal/exit-codes.ts';
import { PIPE, sourceOf } from '../../files/place.ts';
import { readSmall } from '../../files/small-data.ts';
import type { CommandIo } from '../../terminal/io.ts';
import { print } from '../command-group.ts';
import { KEY_HELP, keyIdOf } from '../named-key.ts';
import { writeKey } from './key-output.ts';

const POLICY_BYTES = 256 * 1024;

/** `kms keys policy …`: who may do what with a key. */
export function addKeyPolicy(keys: Command, io: CommandIo): void {
  const policy = keys.command('policy').description('show, set and remove the policy of a key');
  policy
    .command('get')
    .argument('<key>', KEY_HELP)
    .description('show the policy of a key')
    .action(async (named: string, _options, command: Command) => {
      const kms = connect(io);
      const found = await kms.getKeyPolicy({ keyId: await keyIdOf(kms, named, io) }, callOptions(io));
      print(io, command, found, rows, ['effect', 'actions', 'principals', 'conditions']);
    });
  policy
    .command('set')
    .argument('<key>', KEY_HELP)
    .argument('[file]', 'the policy as JSON or YAML (default: standard input)', PIPE)
    .description('set the policy of a key')
    .action(async (named: string, file: string, _options, command: Command) => {
      const text = await readSmall(sourceOf(file, io), POLICY_BYTES, 'name a file with one policy', io.signal);
      const document = policyOf(Buffer.from(text).toString('utf8'), file);
      const kms = connect(io);
      const keyId = await keyIdOf(kms, named, io);
      writeKey(io, command, await kms.putKeyPolicy({ ...document, keyId }, callOptions(io)));
    });
  policy
    .command('remove')
    .argument('<key>', KEY_HELP)
    .description('remove the policy of a key, so that roles and permissions decide again')
    .action(async (named: string, _options, command: Command) => {
      const kms = connect(io);
      writeKey(io, command, await kms.deleteKeyPolicy({ keyId: await keyIdOf(kms, named, io) }, callOptions(io)));
    });
}

function policyOf(text: string, file: string): KeyPolicy {
  const name = file === PIPE ? 'Standard input' : file;
  let document: unknown;
  try {
    document = parse(text);
  } catch (cause) {
    throw new CommandError(EXIT.data, `${name} is neither JSON nor YAML: ${firstLine(cause)}`, { cause });
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document))
    throw new CommandError(EXIT.data, `${name} holds no policy: a policy begins with a version and has statements.`);
  // The service checks its contents, and names the path of what is wrong.
  return document as KeyPolicy;
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
}

function rows({ statements }: KeyPolicy) {
  return statements.map(({ effect, actions, principals = ['*'], conditions = {} }) => ({
    effect,
    actions: actions.join(','),
    principals: principals.join(','),
    conditions: Object.keys(conditions).join(',') || null,
  }));
}
