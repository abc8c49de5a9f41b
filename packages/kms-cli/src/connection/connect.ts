import { createKmsClient, KmsClientError, type KmsClient } from '@qnsp/kms-client';
import { createNodeKmsClient } from '@qnsp/kms-client/node';
import { CommandError, EXIT } from '../terminal/exit-codes.ts';
import type { CommandIo } from '../terminal/io.ts';
import { type Connection, findConnection } from './find-connection.ts';

/** A client of the service that the command line, the environment, a local start or a context names. */
export function connect(io: CommandIo): KmsClient {
  return clientOf(connectionOf(io));
}

/** The connection of {@link connect}. */
export function connectionOf(io: CommandIo): Connection {
  return findConnection(io.environment, process.cwd(), io.use);
}

/** @throws CommandError (78) for an invalid address or token, saying where it came from. */
export function clientOf({ baseUrl, token, tenantId, allowInsecureHttp, tls, source }: Connection): KmsClient {
  const options = { baseUrl, token, tenantId, allowInsecureHttp };
  // The platform's own connections go through the proxies that it is told of.
  const isOwn = Object.keys(tls).length > 0 || baseUrl.startsWith('unix:');
  try {
    return isOwn ? createNodeKmsClient({ ...options, ...tls }) : createKmsClient(options);
  } catch (error) {
    if (!(error instanceof KmsClientError)) throw error;
    throw new CommandError(EXIT.configuration, inWordsOfTheCommandLine(error.message, source), {
      cause: error,
    });
  }
}

/** The library speaks of its options; here they have other names. */
function inWordsOfTheCommandLine(message: string, source: string): string {
  return message
    .replace(/^baseUrl\b/, `The address of the service, which comes from ${source},`)
    .replace(/^The token\b/, 'The token, which comes from KMS_TOKEN or a token file,')
    .replace(
      /^ca\b.*?(?=cannot|must)/,
      'KMS_CA_FILE, KMS_CLIENT_CERT_FILE or KMS_CLIENT_KEY_FILE (or the files of a context) ',
    )
    .replace(/^certificate and key\b/, 'KMS_CLIENT_CERT_FILE and KMS_CLIENT_KEY_FILE')
    .replace(/\bgiven with its passphrase\b/, 'given with its passphrase in KMS_CLIENT_KEY_PASSPHRASE_FILE')
    .replace('give the API token as token', 'pass the token in KMS_TOKEN_FILE')
    .replace('set allowInsecureHttp', 'set KMS_ALLOW_INSECURE_HTTP=true, or `kms context set --allow-insecure-http`');
}

/** Options of every call. */
export function callOptions(io: CommandIo): { readonly signal?: AbortSignal } {
  return io.signal === undefined ? {} : { signal: io.signal };
}
