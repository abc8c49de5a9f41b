import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { createDatabase, type Service, startService } from '@qnsp/test-harness';

const FLOOR = join(import.meta.dirname, '../floor.ts');

/** The service on a PostgreSQL of its own, as it runs in production but for its environment. */
export interface BenchService extends Service {
  readonly token: string;
  readonly tenantId: string;
  readonly databaseUrl: string;
  /** Sends a JSON request as the tenant's first token. Throws for an answer that is not a success. */
  call(method: string, path: string, body?: object): Promise<Readonly<Record<string, unknown>>>;
  createKey(body?: object): Promise<string>;
  /** A further tenant, by its first token. */
  newTenant(): Promise<Pick<BenchService, 'token' | 'tenantId' | 'call' | 'createKey'>>;
}

/** Starts the service on a new database of the server. Node gets `nodeArgs`, as those of a profile. */
export async function startBenchService(
  serverUrl: string,
  env: Readonly<Record<string, string>> = {},
  nodeArgs: readonly string[] = [],
): Promise<BenchService> {
  const database = await createDatabase(serverUrl);
  const platform = `qnsp_pqc_${randomBytes(32).toString('base64url')}`;
  const service = await startService({
    nodeArgs,
    env: {
      DATABASE_URL: database.url,
      KMS_ROOT_KEY: randomBytes(32).toString('base64'),
      KMS_PLATFORM_TOKEN: platform,
      ...env,
    },
  });
  const send = async (token: string, method: string, path: string, body?: object, headers: object = {}) => {
    const response = await fetch(`${service.baseUrl}/kms/v1/${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answer = (await response.json()) as Readonly<Record<string, unknown>>;
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`);
    return answer;
  };
  const newTenant: BenchService['newTenant'] = async () => {
    const { tenantId } = await send(platform, 'POST', 'tenants', { name: 'bench' });
    const admin = { name: 'bench', role: 'tenant_admin' };
    const token = String((await send(platform, 'POST', 'tokens', admin, { 'x-qnsp-tenant': tenantId }))['token']);
    const call: BenchService['call'] = (method, path, body) => send(token, method, path, body);
    const createKey: BenchService['createKey'] = async (body = {}) =>
      String((await call('POST', 'keys', body))['keyId']);
    return { token, tenantId: String(tenantId), call, createKey };
  };
  return {
    ...service,
    ...(await newTenant()),
    newTenant,
    databaseUrl: database.url,
    stop: async () => {
      await service.stop();
      await database.drop();
    },
  };
}

/** Starts the bare server. */
export function startFloor(): Promise<Service> {
  return startService({ entry: FLOOR, env: {} });
}
