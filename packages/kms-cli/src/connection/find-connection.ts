import { readFileSync } from 'node:fs';
import { CommandError, EXIT } from '../terminal/exit-codes.ts';
import { type ClientFile, findClientFile } from './client-file.ts';
import { type Context, contextNamed, contextsPath, readContexts } from './contexts.ts';
import { type ConnectionTls, readTlsFiles, type TlsFiles } from './tls-files.ts';

/** Where the service is, which credential to use, and where both come from. */
export interface Connection {
  readonly baseUrl: string;
  readonly token: string;
  readonly tenantId: string | undefined;
  readonly allowInsecureHttp: boolean;
  readonly tls: ConnectionTls;
  /** Where the address comes from, for people. */
  readonly source: string;
  /** The file that the token is in, where it is in one. */
  readonly stored: StoredToken | undefined;
}

/** Where a token is kept: alone in a file, or in the `client.json` of a local start. */
export interface StoredToken {
  readonly kind: 'token-file' | 'client-file';
  readonly path: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Finds the service, the most explicit first: the context that `--use` names; `KMS_URL` with `KMS_TOKEN` or `KMS_TOKEN_FILE`; the
 * context that `KMS_CONTEXT` names; what a local start wrote in this directory or above it; the current context. The token of a
 * local start or of a context goes to that service alone.
 *
 * @param use the context that the command line names
 * @throws CommandError (78) that says what to set.
 */
export function findConnection(environment: Environment, workingDirectory: string, use?: string): Connection {
  if (use !== undefined) return ofContext(environment, use);
  const { token, stored } = readToken(environment);
  const tenantId = setting(environment, 'KMS_TENANT_ID');
  const allowInsecureHttp = setting(environment, 'KMS_ALLOW_INSECURE_HTTP') === 'true';
  const url = setting(environment, 'KMS_URL');
  if (url !== undefined && token !== undefined)
    return { baseUrl: url, token, tenantId, allowInsecureHttp, tls: tlsOf(environment), source: 'KMS_URL', stored };
  if (url !== undefined)
    throw new CommandError(
      EXIT.configuration,
      'KMS_URL says where the service is, but no token is set: set KMS_TOKEN_FILE to a file that holds one, or KMS_TOKEN.',
    );
  const named = setting(environment, 'KMS_CONTEXT');
  if (named !== undefined) return ofContext(environment, named);
  const file = findClientFile(environment, workingDirectory);
  if (file !== undefined)
    return ofLocalStart(file, { token, tenantId, allowInsecureHttp, tls: tlsOf(environment), stored });
  const { current } = readContexts(contextsPath(environment));
  if (current !== undefined) return ofContext(environment, current);
  throw new CommandError(
    EXIT.configuration,
    'No service is configured: set KMS_URL and KMS_TOKEN_FILE, create a context with `kms context set`, or run this where `npm start` created the directory .kms.',
  );
}

function ofLocalStart(
  { baseUrl, path, apiToken }: ClientFile,
  { token, stored, ...rest }: Omit<Connection, 'baseUrl' | 'token' | 'source'> & { readonly token: string | undefined },
): Connection {
  if (token !== undefined) return { baseUrl, token, ...rest, source: path, stored };
  return { baseUrl, token: apiToken, ...rest, source: path, stored: { kind: 'client-file', path } };
}

/** Everything comes from the context, so that no setting that was left behind sends its token elsewhere or as another tenant. */
function ofContext(environment: Environment, name: string): Connection {
  const {
    url,
    tokenFile,
    tenantId,
    allowInsecureHttp = false,
    ...files
  }: Context = contextNamed(readContexts(contextsPath(environment)), name);
  const token = readTokenFile(`The context ${name}`, tokenFile);
  const tls = readTlsFiles(`The context ${name}`, files);
  return {
    baseUrl: url,
    token,
    tenantId,
    allowInsecureHttp,
    tls,
    source: `context ${name}`,
    stored: { kind: 'token-file', path: tokenFile },
  };
}

function tlsOf(environment: Environment): ConnectionTls {
  const names: Readonly<Record<keyof TlsFiles, string>> = {
    caFile: 'KMS_CA_FILE',
    clientCertFile: 'KMS_CLIENT_CERT_FILE',
    clientKeyFile: 'KMS_CLIENT_KEY_FILE',
    clientKeyPassphraseFile: 'KMS_CLIENT_KEY_PASSPHRASE_FILE',
    serverName: 'KMS_SERVER_NAME',
  };
  const files = Object.entries(names).flatMap(([field, name]) => {
    const value = setting(environment, name);
    return value === undefined ? [] : [[field, value] as const];
  });
  return readTlsFiles('The environment', Object.fromEntries(files));
}

function readToken(environment: Environment): {
  readonly token: string | undefined;
  readonly stored: StoredToken | undefined;
} {
  const given = setting(environment, 'KMS_TOKEN');
  const path = setting(environment, 'KMS_TOKEN_FILE');
  if (given !== undefined && path !== undefined)
    throw new CommandError(EXIT.configuration, 'KMS_TOKEN and KMS_TOKEN_FILE are both set: unset one of them.');
  if (path === undefined) return { token: given, stored: undefined };
  return { token: readTokenFile('KMS_TOKEN_FILE', path), stored: { kind: 'token-file', path } };
}

function readTokenFile(by: string, path: string): string {
  try {
    const token = readFileSync(path, 'utf8').trim();
    if (token !== '') return token;
  } catch (cause) {
    throw new CommandError(
      EXIT.configuration,
      `${by} names a token file that cannot be read: check that ${path} exists and belongs to you.`,
      { cause },
    );
  }
  throw new CommandError(EXIT.configuration, `${by} names ${path}, which is empty: put a token into it.`);
}

/** An empty value counts as unset. */
function setting(environment: Environment, name: string): string | undefined {
  const value = environment[name];
  return value === '' ? undefined : value;
}
