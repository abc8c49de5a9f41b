import type { CreateIdentityBindingInput, IdentityBinding, IdentityDenial } from '@qnsp/kms-client';
import { type Command, Option } from 'commander';
import { callOptions, connect } from '../../connection/connect.ts';
import type { CommandIo } from '../../terminal/io.ts';
import { instant, nameAndValue, oneMore, uuid } from '../../terminal/option-values.ts';
import { type Columns, type CommandGroup, print, rowOf, warn } from '../command-group.ts';

const ROLES = ['tenant_admin', 'key_admin', 'key_user', 'auditor'] as const;

interface BindOptions {
  readonly issuer: string;
  readonly match: Readonly<Record<string, string>>;
  readonly certificate?: Readonly<Record<string, string>>;
  readonly role?: (typeof ROLES)[number];
  // The service knows its permissions and reports unknown ones.
  readonly permission?: NonNullable<CreateIdentityBindingInput['permissions']>;
  readonly key?: readonly string[];
  readonly expiresAt?: string;
}

interface DenyOptions {
  readonly issuer: string;
  readonly sub?: string;
  readonly jti?: string;
  readonly before?: string;
}

/** `kms identities …`: what workloads may do that call with the identity that they have. */
export const identityCommands: CommandGroup = (program, io) => {
  const identities = program
    .command('identities')
    .description('let workloads call with the JWTs that they have, and shut them out');
  addBind(identities, io);
  identities
    .command('list')
    .description('list the identity bindings of the tenant')
    .action(async (_options, command: Command) => {
      const items: IdentityBinding[] = [];
      const kms = connect(io);
      for (let cursor: string | null | undefined; cursor !== null; ) {
        const page = await kms.listIdentityBindings(
          { limit: 200, ...(cursor === undefined ? {} : { cursor }) },
          callOptions(io),
        );
        items.push(...page.items);
        warn(io, page.warnings);
        cursor = page.nextCursor;
      }
      print(io, command, items, (all) => all.map(row), Object.keys(COLUMNS));
    });
  identities
    .command('get')
    .argument('<binding-id>')
    .description('show an identity binding')
    .action(async (bindingId: string, _options, command: Command) => {
      print(io, command, await connect(io).getIdentityBinding({ bindingId }, callOptions(io)), (value) => [row(value)]);
    });
  identities
    .command('unbind')
    .argument('<binding-id>')
    .description('delete an identity binding: nobody is let in by it any more')
    .action(async (bindingId: string, _options, command: Command) => {
      const answer = await connect(io).deleteIdentityBinding({ bindingId }, callOptions(io));
      print(io, command, answer, (value) => [{ id: value.bindingId, deleted: value.deleted }]);
    });
  addDeny(identities, io);
  addDenials(identities, io);
};

function addBind(identities: Command, io: CommandIo): void {
  identities
    .command('bind')
    .description('let those in whose JWTs of an issuer match')
    .requiredOption('--issuer <issuer>', 'the claim iss; the operator has to trust it')
    .requiredOption(
      '--match <claim=value>',
      'what a claim must be; a value can end in *; can be repeated, and then all have to match',
      nameAndValue,
    )
    .option(
      '--certificate <claim=value>',
      'what a claim of the client certificate must be besides, such as san.uri; as --match',
      nameAndValue,
    )
    .addOption(new Option('--role <role>', 'what they may do').choices(ROLES))
    .option('--permission <permission>', 'an additional permission, such as kms:random; can be repeated', oneMore)
    .option('--key <key-id>', 'a key that it is for; can be repeated (default: every key)', oneKeyMore)
    .option('--expires-at <time>', 'when it ends (default: with the credential that makes it)', instant)
    .action(async ({ issuer, match, certificate, role, permission, key, expiresAt }: BindOptions, command: Command) => {
      const input = { issuer, match, certificate, role, permissions: permission, keys: key, expiresAt };
      print(io, command, await connect(io).createIdentityBinding(input, callOptions(io)), (value) => [row(value)]);
    });
}

function oneKeyMore(text: string, before?: readonly string[]): readonly string[] {
  return oneMore(uuid(text), before);
}

function addDeny(identities: Command, io: CommandIo): void {
  identities
    .command('deny')
    .description('refuse the JWTs that were issued until now; new ones are let in')
    .requiredOption('--issuer <issuer>', 'the claim iss')
    .addOption(new Option('--sub <subject>', 'whose').conflicts('jti'))
    .option('--jti <id>', 'only the one with this id')
    .option(
      '--before <time>',
      'those issued before this (default: now); up to five minutes ahead, for an issuer whose clock is',
      instant,
    )
    .action(async ({ issuer, sub, jti, before }: DenyOptions, command: Command) => {
      const answer = await connect(io).denyIdentity({ issuer, sub, jti, before }, callOptions(io));
      print(io, command, answer, (value) => [denialRow(value)]);
    });
}

function addDenials(identities: Command, io: CommandIo): void {
  identities
    .command('denials')
    .description('list the denials of the tenant that have not ended')
    .action(async (_options, command: Command) => {
      const items: IdentityDenial[] = [];
      const kms = connect(io);
      for (let cursor: string | null | undefined; cursor !== null; ) {
        const page = await kms.listIdentityDenials(
          { limit: 200, ...(cursor === undefined ? {} : { cursor }) },
          callOptions(io),
        );
        items.push(...page.items);
        warn(io, page.warnings);
        cursor = page.nextCursor;
      }
      print(io, command, items, (all) => all.map(denialRow), Object.keys(DENIAL_COLUMNS));
    });
  identities
    .command('lift')
    .argument('<denial-id>')
    .description('lift a denial: bindings let in again by the JWTs that it refused')
    .action(async (denialId: string, _options, command: Command) => {
      const answer = await connect(io).liftIdentityDenial({ denialId }, callOptions(io));
      print(io, command, answer, (value) => [denialRow(value)]);
    });
}

const COLUMNS: Columns<IdentityBinding> = {
  id: (binding) => binding.bindingId,
  issuer: (binding) => binding.issuer,
  match: (binding) => claimsOf(binding.match),
  certificate: (binding) => (binding.certificate ? claimsOf(binding.certificate) : '-'),
  role: (binding) => binding.role,
  permissions: (binding) => (binding.role === null ? binding.permissions.join(',') : '-'),
  keys: (binding) => binding.keys?.join(',') ?? '-',
  expires: (binding) => binding.expiresAt,
};
const row = rowOf(COLUMNS);

function claimsOf(match: Readonly<Record<string, string>>): string {
  return Object.entries(match)
    .map(([claim, value]) => `${claim}=${value}`)
    .join(' ');
}

const DENIAL_COLUMNS: Columns<IdentityDenial> = {
  id: (denial) => denial.denialId,
  issuer: (denial) => denial.issuer,
  sub: (denial) => denial.sub,
  jti: (denial) => denial.jti,
  before: (denial) => denial.before,
  ends: (denial) => denial.endsAt,
  lifted: (denial) => denial.liftedAt,
};
const denialRow = rowOf(DENIAL_COLUMNS);
