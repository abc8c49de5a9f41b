import { randomBytes } from 'node:crypto';
import {
  createDatabase,
  type RedisServer,
  type Service,
  startRedis,
  startService,
  startTcpProxy,
  type TcpProxy,
  type JwtIssuer,
  jwtIssuer,
} from '@qnsp/test-harness';
import { type Answer, send } from '../local-service.ts';

/** One node of a fleet, with the ways to its database and its Redis in the test's hands. */
interface FleetNode {
  readonly service: Service;
  readonly database: TcpProxy;
  readonly redis: TcpProxy;
}

export interface Fleet {
  readonly nodes: readonly FleetNode[];
  readonly redis: RedisServer;
  readonly databaseUrl: string;
  /** The token of a tenant's administrator. */
  readonly token: string;
  readonly tenantId: string;
  /** Whose JSON Web Tokens the nodes take. */
  readonly issuer: JwtIssuer;
  /** Sends JSON to one node. */
  call(node: number, method: string, path: string, body?: unknown, token?: string): Promise<Answer>;
  /** Makes a key and answers its path. */
  createKey(body?: object): Promise<string>;
  /** Sums a metric over all nodes. */
  metric(line: RegExp): Promise<number>;
  end(): Promise<void>;
}

/** The connection on which a node listens for changes, by what it says of itself when it connects. */
export function isNotices(firstBytes: Buffer): boolean {
  return firstBytes.includes('qnsp-kms-notices');
}

/** Starts nodes on one PostgreSQL and one Redis. */
export async function startFleet(size: number, settings: Readonly<Record<string, string>> = {}): Promise<Fleet> {
  const [database, redis] = await Promise.all([createDatabase(), startRedis()]);
  const platform = `qnsp_pqc_${randomBytes(32).toString('base64url')}`;
  const issuer = jwtIssuer();
  const rootKey = randomBytes(32).toString('base64');
  const nodes = await Promise.all(
    Array.from({ length: size }, async () => {
      const toDatabase = await startTcpProxy(Number(new URL(database.url).port));
      const toRedis = await startTcpProxy(redis.port);
      const url = new URL(database.url);
      url.hostname = '127.0.0.1';
      url.port = String(toDatabase.port);
      const service = await startService({
        env: {
          DATABASE_URL: url.href,
          // A node without its database says so within the time that a round takes.
          DATABASE_TIMEOUT_MS: '1000',
          KMS_ROOT_KEY: rootKey,
          KMS_PLATFORM_TOKEN: platform,
          KMS_CACHE_REDIS_URL: `redis://127.0.0.1:${toRedis.port}`,
          LOG_LEVEL: 'warn',
          ...issuer.env,
          ...settings,
        },
      });
      return { service, database: toDatabase, redis: toRedis };
    }),
  );
  const at = (node: number): FleetNode => {
    const found = nodes[node % nodes.length];
    if (found === undefined) throw new Error('the fleet has no nodes');
    return found;
  };
  const asPlatform = (path: string, body: object, headers: Record<string, string> = {}) =>
    send(`${at(0).service.baseUrl}${path}`, 'POST', platform, body, headers);
  const tenantId = String((await asPlatform('/kms/v1/tenants', { name: 'acme' })).body['tenantId']);
  const made = await asPlatform(
    '/kms/v1/tokens',
    { name: 'admin', role: 'tenant_admin' },
    { 'x-qnsp-tenant': tenantId },
  );
  const token = String(made.body['token']);
  const fleet: Fleet = {
    nodes,
    redis,
    databaseUrl: database.url,
    token,
    tenantId,
    issuer,
    call: (node, method, path, body, as = token) => send(`${at(node).service.baseUrl}${path}`, method, as, body),
    async createKey(body = {}) {
      const key = await fleet.call(0, 'POST', '/kms/v1/keys', body);
      return `/kms/v1/keys/${String(key.body['keyId'])}`;
    },
    async metric(line) {
      const texts = await Promise.all(
        nodes.map(async ({ service }) => (await fetch(`${service.baseUrl}/metrics`)).text()),
      );
      return texts.reduce((sum, text) => sum + Number(line.exec(text)?.[1] ?? 0), 0);
    },
    async end() {
      await Promise.all(nodes.map((node) => node.service.stop()));
      await Promise.all(nodes.flatMap((node) => [node.database.stop(), node.redis.stop()]));
      await redis.stop();
      await issuer.end();
      await database.drop();
    },
  };
  return fleet;
}
