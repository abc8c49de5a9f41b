import { createKmsClient, KmsClientError, type KmsClient } from '@qnsp/kms-client';
import { CommandError, EXIT } from '../terminal/exit-codes.ts';
import type { CommandIo } from '../terminal/io.ts';
import { type Connection, findConnection } from './find-connection.ts';

/** A client of the service that the command line, the environment, a local start or a context names. */
export function connect(io: CommandIo): KmsClient {
  return clientOf(findConnection(io.environment, process.cwd(), io.use));
}

/** @throws CommandError (78) for an invalid address or token, saying where it came from. */
export function clientOf({ baseUrl, token, tenantId, allowInsecureHttp, source }: Connection): KmsClient {
  try {
    return createKmsClient({ baseUrl, token, tenantId, allowInsecureHttp });
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
    .replace('give the API token as token', 'pass the token in KMS_TOKEN_FILE')
    .replace('set allowInsecureHttp', 'set KMS_ALLOW_INSECURE_HTTP=true, or `kms context set --allow-insecure-http`');
}

/** Options of every call. */
export function callOptions(io: CommandIo): { readonly signal?: AbortSignal } {
  return io.signal === undefined ? {} : { signal: io.signal };
}
