import { createKmsClient, type KmsClient } from '@qnsp/kms-client';
import type { CommandIo } from '../io.ts';
import { type Connection, findConnection } from './find-connection.ts';

/** A client of the service that the command line, the environment, a local start or a context names. */
export function connect(io: CommandIo): KmsClient {
  return clientOf(findConnection(io.environment, process.cwd(), io.use));
}

export function clientOf({ baseUrl, token, tenantId, allowInsecureHttp }: Connection): KmsClient {
  return createKmsClient({ baseUrl, token, tenantId, allowInsecureHttp });
}

/** What every call has of its own. */
export function callOptions(io: CommandIo): { readonly signal?: AbortSignal } {
  return io.signal === undefined ? {} : { signal: io.signal };
}
