import type { CreateTokenInput } from '@qnsp/kms-client';
import { type Command, Option } from 'commander';
import { instant, oneMore, wholeNumber } from '../../terminal/option-values.ts';

const ROLES = ['tenant_admin', 'key_admin', 'key_user', 'auditor', 'platform_admin'] as const;

/** What a new token may do, as options say it. */
export interface GrantOptions {
  readonly name: string;
  readonly role?: (typeof ROLES)[number];
  // The service knows its permissions and reports unknown ones.
  readonly permission?: NonNullable<CreateTokenInput['permissions']>;
  readonly expiresAt?: string;
  readonly purpose?: string;
  readonly key?: readonly string[];
  readonly address?: readonly string[];
  readonly rate?: number;
}

/** Adds the options that say what a new token may do. */
export function withGrant(command: Command): Command {
  return command
    .requiredOption('--name <name>', 'what it is for')
    .addOption(new Option('--role <role>', 'what it may do').choices(ROLES))
    .option('--permission <permission>', 'an additional permission, such as kms:random; can be repeated', oneMore)
    .option('--expires-at <time>', 'when it expires (default: when the credential does that creates it)', instant)
    .option('--purpose <text>', 'what it is for, in a sentence')
    .option('--key <key-id>', 'limit it to this key; can be repeated', oneMore)
    .option('--address <block>', 'limit it to calls from this address or CIDR block; can be repeated', oneMore)
    .option('--rate <units>', 'limit it to so much cost in a second; the cheapest call costs 1', wholeNumber);
}

/** What the options ask for. */
export function grantOf(options: GrantOptions) {
  const { name, role, permission, expiresAt, purpose, key, address, rate } = options;
  return { name, role, permissions: permission, expiresAt, purpose, keys: key, addresses: address, rate };
}
