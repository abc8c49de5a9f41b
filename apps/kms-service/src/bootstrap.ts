import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bootstrapTenant, type FirstTenant, type Kms, operationOfService } from '@qnsp/kms-core/internal';
import type { ServiceConfig } from './config/service-config.ts';
import { ConfigurationError } from './config/configuration-error.ts';
import { writeFileDurably } from './config/durable-file.ts';

/** What the CLI and the examples read to find a local service. */
export interface ClientFile {
  readonly baseUrl: string;
  readonly tenantId: string;
  readonly apiToken: string;
  /** What clients of AWS KMS need, where that is spoken. */
  readonly aws?: AwsClient;
}

/** Credentials of AWS, and the region that they are for. */
interface AwsClient {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
}

/**
 * Makes the first tenant and its token when the database has no tenant yet, and writes them to `client.json`; on a later
 * start only brings the address in that file up to date.
 *
 * @returns the file's path and content, or `undefined` when there is none and none is due
 */
export async function bootstrap(
  kms: Kms,
  config: ServiceConfig,
  baseUrl: string,
): Promise<{ readonly path: string; readonly client: ClientFile } | undefined> {
  const path = join(config.dataDir, 'client.json');
  if (config.bootstrapTenant === undefined) return undefined;
  mkdirSync(config.dataDir, { recursive: true, mode: 0o700 });
  const { aws } = config;
  const write = ({ tenantId, apiToken, aws: known }: Credentials): ClientFile => {
    const client: ClientFile = {
      baseUrl,
      tenantId,
      apiToken,
      ...(aws === undefined || known === undefined ? {} : { aws: { ...known, region: aws.region } }),
    };
    writeFileDurably(path, `${JSON.stringify(client, undefined, 2)}\n`);
    return client;
  };
  const first = await bootstrapTenant(operationOfService(kms, 'bootstrapTenant'), {
    name: config.bootstrapTenant,
    token: { name: 'first token', role: 'tenant_admin', awsCredentials: aws !== undefined },
    publish: (made) => {
      write(credentialsOf(made));
    },
  });
  const known = first === undefined ? readClientFile(path) : credentialsOf(first);
  return known === undefined ? undefined : { path, client: write(known) };
}

/** What is in the file beside the address of the service, and stays. */
interface Credentials extends Pick<ClientFile, 'tenantId' | 'apiToken'> {
  readonly aws?: Omit<AwsClient, 'region'> | undefined;
}

function credentialsOf({ tenantId, token, awsCredentials }: FirstTenant): Credentials {
  return { tenantId, apiToken: token, aws: awsCredentials };
}

function readClientFile(path: string): Credentials | undefined {
  if (!existsSync(path)) return undefined;
  const content = parseJson(readFileSync(path, 'utf8'));
  const { tenantId, apiToken, aws } =
    typeof content === 'object' && content !== null ? (content as Partial<ClientFile>) : {};
  if (typeof tenantId === 'string' && typeof apiToken === 'string') return { tenantId, apiToken, aws: keyIn(aws) };
  throw new ConfigurationError([
    { variable: 'KMS_DATA_DIR', reason: `${path} is damaged: restore it, or remove it and use another token` },
  ]);
}

function keyIn(aws: Partial<AwsClient> | undefined): Credentials['aws'] {
  const { accessKeyId, secretAccessKey } = aws ?? {};
  return typeof accessKeyId === 'string' && typeof secretAccessKey === 'string'
    ? { accessKeyId, secretAccessKey }
    : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // What is wrong with the file is said without its content, which is a credential.
    return undefined;
  }
}
