import { readFileSync } from 'node:fs';
import { CommandError, EXIT } from '../exit-codes.ts';
import { findClientFile } from './client-file.ts';

/** Where the service is, as whom to call it, and what says so. */
export interface Connection {
  readonly baseUrl: string;
  readonly token: string;
  readonly tenantId: string | undefined;
  readonly allowInsecureHttp: boolean;
  /** Where the address comes from, for people. */
  readonly source: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Finds the service: `KMS_URL` with `KMS_TOKEN` or `KMS_TOKEN_FILE`, or what a local start wrote. The token of a local start goes to
 * that service alone.
 *
 * @throws CommandError (78) that says what to set.
 */
export function findConnection(environment: Environment, workingDirectory: string): Connection {
  const url = setting(environment, 'KMS_URL');
  const token = readToken(environment);
  const tenantId = setting(environment, 'KMS_TENANT_ID');
  const allowInsecureHttp = setting(environment, 'KMS_ALLOW_INSECURE_HTTP') === 'true';
  if (url !== undefined && token !== undefined)
    return { baseUrl: url, token, tenantId, allowInsecureHttp, source: 'KMS_URL' };
  if (url !== undefined)
    throw new CommandError(
      EXIT.configuration,
      'KMS_URL says where the service is, but no token is set: set KMS_TOKEN_FILE to a file that holds one, or KMS_TOKEN.',
    );
  const file = findClientFile(environment, workingDirectory);
  if (file === undefined)
    throw new CommandError(
      EXIT.configuration,
      'No service is configured: set KMS_URL and KMS_TOKEN_FILE, or run this where `npm start` made the directory .kms.',
    );
  const { baseUrl, path, apiToken } = file;
  return { baseUrl, token: token ?? apiToken, tenantId, allowInsecureHttp, source: path };
}

function readToken(environment: Environment): string | undefined {
  const given = setting(environment, 'KMS_TOKEN');
  const path = setting(environment, 'KMS_TOKEN_FILE');
  if (given !== undefined && path !== undefined)
    throw new CommandError(EXIT.configuration, 'KMS_TOKEN and KMS_TOKEN_FILE are both set: unset one of them.');
  return path === undefined ? given : readTokenFile(path);
}

function readTokenFile(path: string): string {
  try {
    const token = readFileSync(path, 'utf8').trim();
    if (token !== '') return token;
  } catch (cause) {
    throw new CommandError(
      EXIT.configuration,
      `KMS_TOKEN_FILE can not be read: check that ${path} is there and yours.`,
      { cause },
    );
  }
  throw new CommandError(EXIT.configuration, `KMS_TOKEN_FILE names ${path}, which is empty: put a token into it.`);
}

/** An empty value counts as unset. */
function setting(environment: Environment, name: string): string | undefined {
  const value = environment[name];
  return value === '' ? undefined : value;
}
