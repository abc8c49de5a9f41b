import type { CreateKeyInput } from '@qnsp/kms-client';
import { type Command, Option } from 'commander';
import { callOptions, connect } from '../../connection/connect.ts';
import type { CommandIo } from '../../terminal/io.ts';
import { instant, nameAndValue, wholeNumber } from '../../terminal/option-values.ts';
import { writeKey } from './key-output.ts';

/** What can be set on a new key, created or imported. */
export interface NewKeyOptions {
  readonly name?: string;
  readonly purpose?: NonNullable<CreateKeyInput['purpose']>;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly maxOperations?: number;
  readonly expiresAt?: string;
}

interface CreateOptions extends NewKeyOptions {
  readonly algorithm?: string;
  readonly protection?: 'software' | 'hsm';
  readonly rotationPeriod?: string;
}

export function addCreateKey(keys: Command, io: CommandIo): void {
  withNewKeyOptions(keys.command('create'))
    .description('create a key')
    .option('--algorithm <name>', 'such as AES-256-GCM or ML-DSA-65 (default: as the service is configured)')
    .addOption(new Option('--protection <level>', 'where the key is').choices(['software', 'hsm']))
    .option('--rotation-period <period>', 'how often to rotate it automatically, such as P90D')
    .action(async ({ algorithm, protection, rotationPeriod, ...options }: CreateOptions, command: Command) => {
      const key = await connect(io).createKey(
        {
          ...newKeyInput(options),
          algorithm,
          protectionLevel: protection,
          rotation: rotationPeriod === undefined ? undefined : { rotationPeriod },
        },
        callOptions(io),
      );
      writeKey(io, command, key);
    });
}

export function withNewKeyOptions(command: Command): Command {
  return command
    .option('--name <name>', 'a human-readable name')
    .option('--purpose <purpose>', 'its purpose, such as encryption or signing (default: depends on the algorithm)')
    .option('--metadata <name=value>', 'metadata, never a secret; can be repeated', nameAndValue)
    .option('--max-operations <number>', 'how many operations it may perform in its lifetime', wholeNumber)
    .option('--expires-at <time>', 'when it stops protecting new data', instant);
}

export function newKeyInput({ name, purpose, metadata, maxOperations, expiresAt }: NewKeyOptions) {
  const isLimited = maxOperations !== undefined || expiresAt !== undefined;
  return { name, purpose, metadata, usageLimits: isLimited ? { maxOperations, expiresAt } : undefined };
}
