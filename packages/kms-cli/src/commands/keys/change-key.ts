import type { Key, KmsClient, RevokeKeyInput } from '@qnsp/kms-client';
import { type Command, Option } from 'commander';
import { callOptions, connect } from '../../connection/connect.ts';
import type { CommandIo } from '../../terminal/io.ts';
import { instant, wholeNumber } from '../../terminal/option-values.ts';
import { KEY_HELP, keyIdOf } from '../named-key.ts';
import { writeKey } from './key-output.ts';

type Reason = RevokeKeyInput['reason'];

/** Those of the contract, none left out: the compiler knows them. */
const REASONS: Readonly<Record<Reason, true>> = {
  suspected_compromise: true,
  policy_violation: true,
  end_of_life: true,
  crypto_weakness: true,
};

const LAST_USE = 'the hour of its last use, as the refusal to destroy it names it';

interface KeyCall<Options> {
  readonly name: string;
  readonly description: string;
  readonly call: (kms: KmsClient, keyId: string, options: Options, io: CommandIo) => Promise<Key>;
}

/** What shows or changes one key and answers it. */
export function addKeyChanges(keys: Command, io: CommandIo): void {
  add(keys, io, {
    name: 'get',
    description: 'show a key',
    call: (kms, keyId) => kms.getKey({ keyId }, callOptions(io)),
  });
  add(keys, io, {
    name: 'rotate',
    description: 'give it a new version; data protected by earlier ones can still be opened',
    call: (kms, keyId) => kms.rotateKey({ keyId }, callOptions(io)),
  });
  add(keys, io, {
    name: 'upgrade',
    description: 'give it a new version under the post-quantum successor of its algorithm',
    call: (kms, keyId) => kms.upgradeKey({ keyId }, callOptions(io)),
  });
  add<{ readonly olderThan: number }>(keys, io, {
    name: 'retire',
    description:
      'deactivate, permanently, its versions that were superseded so many days ago; refuses while one is used',
    call: (kms, keyId, { olderThan }) => kms.retireVersions({ keyId, olderThanDays: olderThan }, callOptions(io)),
  }).requiredOption('--older-than <days>', 'in days; see `kms keys usage`', wholeNumber);
  add(keys, io, {
    name: 'suspend',
    description: 'restrict it to decrypting, verifying and unwrapping until it is resumed',
    call: (kms, keyId) => kms.suspendKey({ keyId }, callOptions(io)),
  });
  add(keys, io, {
    name: 'resume',
    description: 'lift a suspension',
    call: (kms, keyId) => kms.resumeKey({ keyId }, callOptions(io)),
  });
  add<{ readonly reason: Reason; readonly cascade?: boolean }>(keys, io, {
    name: 'revoke',
    description: 'put it permanently out of use',
    call: (kms, keyId, { reason, cascade }) => kms.revokeKey({ keyId, reason, cascade }, callOptions(io)),
  })
    .addOption(new Option('--reason <reason>', 'why').choices(Object.keys(REASONS)).makeOptionMandatory())
    .option('--cascade', 'also revoke the keys below it');
  add<{ readonly days?: number; readonly acknowledgeLastUse?: string }>(keys, io, {
    name: 'destroy',
    description: 'schedule its destruction; until then `kms keys restore` cancels it',
    call: (kms, keyId, { days, acknowledgeLastUse }) =>
      kms.destroyKey({ keyId, pendingWindow: days, acknowledgeLastUse }, callOptions(io)),
  })
    .option('--days <number>', 'days until the destruction (default: 7)', wholeNumber)
    .option('--acknowledge-last-use <time>', LAST_USE, instant);
  add(keys, io, {
    name: 'restore',
    description: 'cancel a scheduled destruction',
    call: (kms, keyId) => kms.restoreKey({ keyId }, callOptions(io)),
  });
  add<{ readonly confirm: string; readonly acknowledgeLastUse?: string }>(keys, io, {
    name: 'shred',
    description: 'destroy it immediately and irrevocably, with everything it protects',
    call: (kms, keyId, { confirm, acknowledgeLastUse }) =>
      kms.shredKey({ keyId, confirmation: confirm, acknowledgeLastUse }, callOptions(io)),
  })
    .requiredOption('--confirm <text>', 'SHRED- and the id of the key')
    .option('--acknowledge-last-use <time>', LAST_USE, instant);
}

function add<Options = object>(keys: Command, io: CommandIo, { name, description, call }: KeyCall<Options>): Command {
  return keys
    .command(name)
    .argument('<key>', KEY_HELP)
    .description(description)
    .action(async (named: string, options: Options, command: Command) => {
      const kms = connect(io);
      writeKey(io, command, await call(kms, await keyIdOf(kms, named, io), options, io));
    });
}
