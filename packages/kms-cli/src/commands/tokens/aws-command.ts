import type { Command } from 'commander';
import { callOptions, connect } from '../../connection/connect.ts';
import { destinationOf } from '../../files/place.ts';
import { writeSmall } from '../../files/small-data.ts';
import { CommandError, EXIT } from '../../terminal/exit-codes.ts';
import type { CommandIo } from '../../terminal/io.ts';
import { print } from '../command-group.ts';
import { type GrantOptions, grantOf, withGrant } from './grant-options.ts';

interface AwsOptions extends GrantOptions {
  readonly credentialsFile?: string;
}

/** `kms tokens aws`: a token whose holder signs requests as the clients of AWS KMS do. */
export function addAws(tokens: Command, io: CommandIo): void {
  withGrant(tokens.command('aws').description('create AWS credentials for the AWS KMS API; they are shown only once'))
    .option('--credentials-file <file>', 'write them to this new file instead, for AWS_SHARED_CREDENTIALS_FILE')
    .action(async ({ credentialsFile, ...options }: AwsOptions, command: Command) => {
      // Checked first: credentials that could not be written would be lost.
      const destination = credentialsFile === undefined ? undefined : destinationOf(credentialsFile, false, io);
      const input = { ...grantOf(options), awsCredentials: true };
      const { tokenId, name, expiresAt, awsCredentials } = await connect(io).createToken(input, callOptions(io));
      if (awsCredentials === undefined)
        throw new CommandError(
          EXIT.failed,
          `The service made the token ${tokenId} without AWS credentials: update it.`,
        );
      const made = { tokenId, name, expiresAt };
      const { accessKeyId, secretAccessKey } = awsCredentials;
      if (destination !== undefined) {
        const profile = `[default]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`;
        await writeSmall(destination, new TextEncoder().encode(profile), io.signal);
      }
      const shown = destination === undefined ? awsCredentials : { accessKeyId };
      print(io, command, { ...made, awsCredentials: shown }, () => [
        { id: tokenId, name, expires: expiresAt, 'access key id': accessKeyId, ...secretOf(shown) },
      ]);
    });
}

function secretOf(shown: { readonly accessKeyId: string; readonly secretAccessKey?: string }) {
  return shown.secretAccessKey === undefined ? {} : { 'secret access key': shown.secretAccessKey };
}
