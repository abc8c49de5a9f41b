import type { ApiToken } from '@qnsp/kms-client';
import type { Command } from 'commander';
import { callOptions, connect } from '../../connection/connect.ts';
import { destinationOf } from '../../files/place.ts';
import { writeSmall } from '../../files/small-data.ts';
import type { CommandIo } from '../../terminal/io.ts';
import { addAws } from './aws-command.ts';
import { type GrantOptions, grantOf, withGrant } from './grant-options.ts';
import { addRotate } from './rotate-command.ts';
import { type Columns, type CommandGroup, print, rowOf, warn } from '../command-group.ts';

interface CreateOptions extends GrantOptions {
  readonly tokenFile?: string;
}

/** `kms tokens …`: the API tokens of the tenant. */
export const tokenCommands: CommandGroup = (program, io) => {
  const tokens = program.command('tokens').description('create, list, rotate and revoke API tokens');
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
    .command('get')
    .argument('[token-id]', 'its id, not the token (default: the token that makes the call)')
    .description('show what is known of a token')
    .action(async (tokenId: string | undefined, _options, command: Command) => {
      const kms = connect(io);
      const token = await (tokenId === undefined
        ? kms.getOwnToken({}, callOptions(io))
        : kms.getToken({ tokenId }, callOptions(io)));
      print(io, command, token, (value) => [details(value)]);
    });
  addAws(tokens, io);
  addRotate(tokens, io);
  addRevoke(tokens, io);
};

function addCreate(tokens: Command, io: CommandIo): void {
  withGrant(tokens.command('create').description('create a token; it is shown only once'))
    .option('--token-file <file>', 'write the token to this file instead of showing it, for KMS_TOKEN_FILE')
    .action(async (options: CreateOptions, command: Command) => {
      const { tokenFile } = options;
      // Checked first: a token that could not be written would be lost.
      const destination = tokenFile === undefined ? undefined : destinationOf(tokenFile, false, io);
      const { token, ...made } = await connect(io).createToken(grantOf(options), callOptions(io));
      if (destination !== undefined) await writeSmall(destination, new TextEncoder().encode(`${token}\n`), io.signal);
      const shown = destination === undefined ? { ...made, token } : made;
      print(io, command, shown, () => [{ ...row(made), ...(destination === undefined ? { token } : {}) }]);
    });
}

function addRevoke(tokens: Command, io: CommandIo): void {
  tokens
    .command('revoke')
    .argument('<token-id>', 'its id, not the token')
    .description('revoke a token immediately and permanently')
    .option('--cascade', 'with its lineage: what replaced it, and every token that it created, level by level')
    .action(async (tokenId: string, { cascade }: { readonly cascade?: boolean }, command: Command) => {
      const kms = connect(io);
      let answer = await kms.revokeToken({ tokenId, cascade }, callOptions(io));
      let { revokedTokens } = answer;
      // One call ends a bounded number.
      while (answer.more) {
        answer = await kms.revokeToken({ tokenId, cascade }, callOptions(io));
        revokedTokens += answer.revokedTokens;
      }
      warn(io, answer.warnings);
      print(io, command, { ...answer, revokedTokens }, (value) => [
        { id: value.tokenId, revoked: value.revoked, tokens: value.revokedTokens },
      ]);
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
  'last used': (token) => token.lastUsedAt,
};
const row = rowOf(COLUMNS);
const details = rowOf<ApiToken>({
  ...COLUMNS,
  permissions: (token) => token.permissions.join(','),
  purpose: (token) => token.purpose,
  keys: (token) => token.keys?.join(',') ?? null,
  addresses: (token) => token.addresses?.join(',') ?? null,
  rate: (token) => token.rate,
  creator: (token) => token.creator,
  parent: (token) => token.parentTokenId,
  replaces: (token) => token.replaces,
  'overlap ends': (token) => token.overlapEndsAt,
});
