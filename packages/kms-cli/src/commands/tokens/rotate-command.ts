import { type ApiToken, type CreatedApiToken, type KmsClient, KmsClientError } from '@qnsp/kms-client';
import type { Command } from 'commander';
import { callOptions, clientOf, connectionOf } from '../../connection/connect.ts';
import { tokenReplacement } from '../../connection/replace-token.ts';
import { destinationOf } from '../../files/place.ts';
import { writeSmall } from '../../files/small-data.ts';
import { CommandError, EXIT } from '../../terminal/exit-codes.ts';
import type { CommandIo } from '../../terminal/io.ts';
import { wholeNumberOrZero } from '../../terminal/option-values.ts';
import { print, warn } from '../command-group.ts';

interface RotateOptions {
  readonly overlap?: number;
  readonly tokenFile?: string;
}

/** `kms tokens rotate`: another secret for a token, this one's own above all. */
export function addRotate(tokens: Command, io: CommandIo): void {
  tokens
    .command('rotate')
    .argument('[token-id]', 'its id, not the token (default: the token that makes the call)')
    .description('replace a token by one with another secret; in its own file, when it is the one that makes the call')
    .option('--overlap <seconds>', 'for how long the old one is still taken (default: 3600)', wholeNumberOrZero)
    .option('--token-file <file>', 'write the new token to this new file instead')
    .action(async (named: string | undefined, { overlap, tokenFile }: RotateOptions, command: Command) => {
      const connection = connectionOf(io);
      const kms = clientOf(connection);
      const own = await ownTokenId(kms, io);
      const tokenId = named ?? own;
      if (tokenId === undefined)
        throw new CommandError(
          EXIT.usage,
          'What makes the call is no API token of a tenant: name the token to rotate.',
        );
      // Both before the rotation: a token that could not be written would be lost.
      const destination = tokenFile === undefined ? undefined : destinationOf(tokenFile, false, io);
      const { stored } = connection;
      const replace =
        destination === undefined && stored !== undefined && tokenId === own
          ? await tokenReplacement(stored)
          : undefined;
      const { token, ...made } = await kms.rotateToken({ tokenId, overlapSeconds: overlap }, callOptions(io));
      let isKept = destination !== undefined || replace !== undefined;
      let lost: CommandError | undefined;
      try {
        if (destination !== undefined) await writeSmall(destination, new TextEncoder().encode(`${token}\n`), io.signal);
        else await replace?.({ token, ...made });
      } catch (cause) {
        // It is shown nowhere else, and never again.
        isKept = false;
        lost = new CommandError(EXIT.output, 'The new token could not be written, so it is shown here: keep it.', {
          cause,
        });
      }
      print(io, command, isKept ? made : { ...made, token }, () => [
        { ...shownOf(made), ...(isKept ? {} : { token }), ...shownKeyOf(made) },
      ]);
      if (replace !== undefined && isKept) warn(io, [`The new token is in ${stored?.path}, in place of the old one.`]);
      if (lost !== undefined) throw lost;
    });
}

/** The id of the token that makes the call; `undefined` where that is another kind of credential, or one of the platform. */
async function ownTokenId(kms: KmsClient, io: CommandIo): Promise<string | undefined> {
  try {
    return (await kms.getOwnToken({}, callOptions(io))).tokenId;
  } catch (error) {
    if (error instanceof KmsClientError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}

/** Of a token whose holder signs requests, the access key is another one as well. */
function shownKeyOf({ awsCredentials }: Pick<CreatedApiToken, 'awsCredentials'>) {
  if (awsCredentials === undefined) return {};
  return { 'access key id': awsCredentials.accessKeyId, 'secret access key': awsCredentials.secretAccessKey };
}

function shownOf({ tokenId, name, replaces, expiresAt }: ApiToken) {
  return { id: tokenId, name, replaces, expires: expiresAt };
}
