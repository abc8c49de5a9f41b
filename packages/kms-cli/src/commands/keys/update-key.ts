import { type Command, Option } from 'commander';
import { callOptions, connect } from '../../connection/connect.ts';
import { CommandError, EXIT } from '../../terminal/exit-codes.ts';
import type { CommandIo } from '../../terminal/io.ts';
import { instant, nameAndValue, wholeNumber } from '../../terminal/option-values.ts';
import { KEY_HELP, keyIdOf } from '../named-key.ts';
import { writeKey } from './key-output.ts';

/** The value of an option that removes a setting. */
const NONE = 'none';
type OrNone<T> = T | typeof NONE;

interface UpdateOptions {
  readonly name?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly rotationPeriod?: string;
  readonly autoRotate?: 'on' | 'off';
  readonly retainVersions?: OrNone<number>;
  readonly maxOperations?: OrNone<number>;
  readonly expiresAt?: OrNone<string>;
  readonly destroyGuardDays?: OrNone<number>;
  readonly requireApproval?: OrNone<number>;
}

export function addUpdateKey(keys: Command, io: CommandIo): void {
  keys
    .command('update')
    .argument('<key>', KEY_HELP)
    .description(`change the settings of a key; \`${NONE}\` removes a setting`)
    .option('--name <name>', 'a human-readable name')
    .option('--metadata <name=value>', 'metadata, which replaces all existing metadata; can be repeated', nameAndValue)
    .option('--rotation-period <period>', 'rotate it automatically, such as P90D')
    .addOption(new Option('--auto-rotate <switch>', 'whether it rotates automatically').choices(['on', 'off']))
    .option('--retain-versions <number>', 'how many versions remain usable', orNone(wholeNumber))
    .option('--max-operations <number>', 'how many operations it may perform in its lifetime', orNone(wholeNumber))
    .option('--expires-at <time>', 'when it stops protecting new data', orNone(instant))
    .option(
      '--destroy-guard-days <days>',
      'for how long after its last use destroying it takes an acknowledgement',
      orNone(wholeNumber),
    )
    .option('--require-approval <number>', 'how many others have to approve its end', orNone(wholeNumber))
    .action(async (named: string, options: UpdateOptions, command: Command) => {
      const changes = changesOf(options);
      if (Object.values(changes).every((change) => change === undefined))
        throw new CommandError(EXIT.usage, 'There is nothing to change: give at least one option.');
      const kms = connect(io);
      const keyId = await keyIdOf(kms, named, io);
      writeKey(io, command, await kms.updateKey({ ...changes, keyId }, callOptions(io)));
    });
}

function changesOf(options: UpdateOptions) {
  const { name, metadata, rotationPeriod, autoRotate, retainVersions, maxOperations, expiresAt, destroyGuardDays } =
    options;
  const { requireApproval } = options;
  const rotation = {
    rotationPeriod: given(rotationPeriod),
    autoRotate: autoRotate === undefined ? undefined : autoRotate === 'on',
    retainVersions: given(retainVersions),
  };
  const usageLimits = { maxOperations: given(maxOperations), expiresAt: given(expiresAt) };
  return {
    name: given(name),
    metadata,
    rotation: isEmpty(rotation) ? undefined : rotation,
    usageLimits: isEmpty(usageLimits) ? undefined : usageLimits,
    destroyGuardDays: given(destroyGuardDays),
    requireApproval: given(requireApproval),
  };
}

function isEmpty(settings: object): boolean {
  return Object.values(settings).every((setting) => setting === undefined);
}

/** Kept as the word: commander makes an empty text of `null`. */
function orNone<T>(parse: (text: string) => T): (text: string) => OrNone<T> {
  return (text) => (text === NONE ? NONE : parse(text));
}

function given<T>(setting: OrNone<T> | undefined): T | null | undefined {
  return setting === NONE ? null : setting;
}
