import type { ApiToken, CreateTokenInput } from '@qnsp/kms-client';
import { type Command, Option } from 'commander';
import { callOptions, connect } from '../../connection/connect.ts';
import { destinationOf } from '../../files/place.ts';
import { writeSmall } from '../../files/small-data.ts';
import type { CommandIo } from '../../terminal/io.ts';
import { instant, oneMore } from '../../terminal/option-values.ts';
import { type Columns, type CommandGroup, print, rowOf } from '../command-group.ts';

const ROLES = ['tenant_admin', 'key_admin', 'key_user', 'auditor', 'platform_admin'] as const;

interface CreateOptions {
  readonly name: string;
  readonly role?: (typeof ROLES)[number];
  // The service knows its permissions and reports unknown ones.
  readonly permission?: NonNullable<CreateTokenInput['permissions']>;
  readonly expiresAt?: string;
  readonly tokenFile?: string;
}

/** `kms tokens …`: the API tokens of the tenant. */
export const tokenCommands: CommandGroup = (program, io) => {
  const tokens = program.command('tokens').description('create, list and revoke API tokens');
  addCreate(tokens, io);
  tokens
    .command('list')
    .description('list the tokens of the tenant; the tokens themselves are never shown again')
    .action(async (_options, command: Command) => {
      const items: ApiToken[] = [];
      for await (const token of connect(io).allTokens({ limit: 200 }, callOptions(io))) items.push(token);
      print(io, command, items, (all) => all.map(row), Object.keys(COLUMNS));
    });
  tokens
    .command('revoke')
    .argument('<token-id>', 'its id, not the token')
    .description('revoke a token immediately and permanently')
    .action(async (tokenId: string, _options, command: Command) => {
      const answer = await connect(io).revokeToken({ tokenId }, callOptions(io));
      print(io, command, answer, (value) => [{ id: value.tokenId, revoked: value.revoked }]);
    });
};

function addCreate(tokens: Command, io: CommandIo): void {
  tokens
    .command('create')
    .description('create a token; it is shown only once')
    .requiredOption('--name <name>', 'what it is for')
    .addOption(new Option('--role <role>', 'what it may do').choices(ROLES))
    .option('--permission <permission>', 'an additional permission, such as kms:random; can be repeated', oneMore)
    .option('--expires-at <time>', 'when it expires (default: never)', instant)
    .option('--token-file <file>', 'write the token to this file instead of showing it, for KMS_TOKEN_FILE')
    .action(async ({ name, role, permission, expiresAt, tokenFile }: CreateOptions, command: Command) => {
      // Checked first: a token that could not be written would be lost.
      const destination = tokenFile === undefined ? undefined : destinationOf(tokenFile, false, io);
      const input = { name, role, permissions: permission, expiresAt };
      const { token, ...made } = await connect(io).createToken(input, callOptions(io));
      if (destination !== undefined) await writeSmall(destination, new TextEncoder().encode(`${token}\n`), io.signal);
      const shown = destination === undefined ? { ...made, token } : made;
      print(io, command, shown, () => [{ ...row(made), ...(destination === undefined ? { token } : {}) }]);
    });
}

const COLUMNS: Columns<ApiToken> = {
  id: (token) => token.tokenId,
  name: (token) => token.name,
  role: (token) => token.role,
  permissions: (token) => (token.role === null ? token.permissions.join(',') : '-'),
  created: (token) => token.createdAt,
  expires: (token) => token.expiresAt,
  revoked: (token) => token.revokedAt,
};
const row = rowOf(COLUMNS);
