import { randomBytes } from 'node:crypto';
import { freePort, type Service, startService } from '@qnsp/test-harness';
import { type Answer, send } from '../local-service.ts';

/** One request, as a client says it. */
export interface ClientRequest {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Services on one PostgreSQL, with a tenant and its administrator. */
export interface KmsOnPostgres {
  readonly tenantId: string;
  /** How long the database may take before a call is answered 503. */
  readonly timeoutMs: number;
  /** The address of a node; it stays when the node is started again. */
  baseUrl(node?: number): string;
  /** Sends a request as the tenant's administrator. */
  call(request: ClientRequest, node?: number): Promise<Answer>;
  /** Sends a request with the credential of the platform. */
  platform(request: ClientRequest, node?: number): Promise<Answer>;
  /** What all nodes have logged, one JSON object a line. */
  logs(): string;
  kill9(node?: number): Promise<void>;
  /** @param change what is set otherwise from then on */
  start(node?: number, change?: Readonly<Record<string, string>>): Promise<void>;
  stop(): Promise<void>;
}

export interface KmsOptions {
  readonly databaseUrl: string;
  readonly nodes?: number;
  readonly timeoutMs?: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts services from their sources on a database that is empty. */
export async function startKms(options: KmsOptions): Promise<KmsOnPostgres> {
  const timeoutMs = options.timeoutMs ?? 1000;
  const platformToken = `qnsp_pqc_${randomBytes(32).toString('base64url')}`;
  let env: Readonly<Record<string, string>> = {
    DATABASE_URL: options.databaseUrl,
    DATABASE_TIMEOUT_MS: String(timeoutMs),
    KMS_ROOT_KEY: randomBytes(32).toString('base64'),
    KMS_PLATFORM_TOKEN: platformToken,
    ...options.env,
  };
  const ports = await Promise.all(Array.from({ length: options.nodes ?? 1 }, () => freePort()));
  const start = (port: number) => startService({ env: { ...env, PORT: String(port) } });
  const services: Service[] = await Promise.all(ports.map(start));
  const ended: string[] = [];
  const service = (node: number): Service => {
    const found = services[node];
    if (found === undefined) throw new Error(`There is no node ${node}`);
    return found;
  };
  const sendAs = (token: string, { method, path, body, headers }: ClientRequest, node: number): Promise<Answer> =>
    send(`${service(node).baseUrl}${path}`, method, token, body, headers);
  const platform = (request: ClientRequest, node = 0) => sendAs(platformToken, request, node);

  const tenant = await platform({ method: 'POST', path: '/kms/v1/tenants', body: { name: 'acme' } });
  const tenantId = String(tenant.body['tenantId']);
  const admin = await platform({
    method: 'POST',
    path: '/kms/v1/tokens',
    body: { name: 'admin', role: 'tenant_admin' },
    headers: { 'x-qnsp-tenant': tenantId },
  });
  const token = String(admin.body['token']);
  return {
    tenantId,
    timeoutMs,
    baseUrl: (node = 0) => service(node).baseUrl,
    call: (request, node = 0) => sendAs(token, request, node),
    platform,
    logs: () => [...ended, ...services.map((each) => each.logs())].join('\n'),
    async kill9(node = 0) {
      await service(node).kill9();
      ended.push(service(node).logs());
    },
    async start(node = 0, change = {}) {
      env = { ...env, ...change };
      services[node] = await start(service(node).port);
    },
    async stop() {
      await Promise.all(services.map((each) => each.stop()));
    },
  };
}
