import { createKmsClient, type KmsClient, type KmsClientOptions } from '../client.ts';
import { invalidArgument } from '../errors/kms-client-error.ts';
import { createNodeFetch, type NodeConnection } from './node-fetch.ts';

/** How to reach the service, by which connections, and as whom. */
export interface NodeKmsClientOptions extends Omit<KmsClientOptions, 'fetch'>, Omit<NodeConnection, 'socketPath'> {}

/**
 * Creates a client that trusts an authority of its own, proves itself by a certificate, or reaches the service by its socket file: then
 * `baseUrl` is `unix:` and the path, such as `unix:/run/kms/kms.sock`. Its connections are kept, and do not keep the process.
 *
 * @throws KmsClientError `INVALID_ARGUMENT` for an invalid base URL, token, certificate or key.
 * @example
 * import { rootCertificates } from 'node:tls';
 * import { createNodeKmsClient } from '@qnsp/kms-client/node';
 * // For a service behind TLS: `ca` has the certificates of its authority, in PEM.
 * const kms = createNodeKmsClient({ baseUrl, token, ca: rootCertificates.slice(0, 1).join() });
 * console.log((await kms.getRandom({ bytes: 12 })).random.length); // 12
 */
export function createNodeKmsClient(options: NodeKmsClientOptions): KmsClient {
  const { ca, certificate, key, passphrase, serverName, ...rest } = options;
  const socketPath = socketPathOf(String(options.baseUrl));
  const connection = { ca, certificate, key, passphrase, serverName, socketPath };
  return createKmsClient({
    ...rest,
    // It goes to the file; a name is what HTTP needs.
    ...(socketPath === undefined ? {} : { baseUrl: 'http://localhost' }),
    fetch: createNodeFetch(connection),
  });
}

/** The path of a base URL that names a socket file, `undefined` for any other. Throws `INVALID_ARGUMENT` for one without a path. */
function socketPathOf(baseUrl: string): string | undefined {
  if (!/^unix:/i.test(baseUrl)) return undefined;
  const [, path] = /^unix:(?:\/\/)?(\/[^\0]+)$/i.exec(baseUrl) ?? [];
  if (path === undefined)
    throw invalidArgument('baseUrl must be unix: and an absolute path, such as unix:/run/kms/kms.sock.');
  return path;
}
