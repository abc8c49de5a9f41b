import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  createDatabase,
  type Pgbouncer,
  type Service,
  startPgbouncer,
  startService,
  type TestDatabase,
} from '@qnsp/test-harness';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { send } from '../local-service.ts';
import { asked } from './asked.ts';
import { BOUND_MS } from './round.ts';

const DATA = Buffer.from('data').toString('base64');
/** The cache would hold a key for so long that only a notice ends its use within the test. */
const CACHE_TTL_SECONDS = '3600';

const LOOK_ON_MS = BOUND_MS + 400;

type Way = 'direct' | 'session' | 'transaction';

interface Setup {
  readonly name: string;
  readonly everything: Way;
  /** Where notices come by, if not by the same way. */
  readonly notices?: Way;
  /** Whether what is held in memory is used at all. */
  readonly proven: boolean;
}

const SETUPS: readonly Setup[] = [
  { name: 'everything behind a pooler in transaction mode', everything: 'transaction', proven: false },
  { name: 'everything behind a pooler in session mode', everything: 'session', proven: true },
  { name: 'only notices behind one in transaction mode', everything: 'direct', notices: 'transaction', proven: false },
  { name: 'only notices behind one in session mode', everything: 'direct', notices: 'session', proven: true },
  {
    name: 'everything but notices behind one in transaction mode',
    everything: 'transaction',
    notices: 'direct',
    proven: true,
  },
  {
    name: 'transaction mode with notices by session mode',
    everything: 'transaction',
    notices: 'session',
    proven: true,
  },
];

let database: TestDatabase;
const poolers = new Map<Way, Pgbouncer>();

beforeAll(async () => {
  database = await createDatabase();
  const serverUrl = process.env['TEST_DATABASE_URL'] ?? '';
  for (const mode of ['session', 'transaction'] as const) {
    // Fewer sessions than clients have connections, so that in transaction mode they really meet in them.
    const settings = { default_pool_size: mode === 'transaction' ? '3' : '60' };
    poolers.set(mode, await startPgbouncer({ serverUrl, mode, settings }));
  }
});
afterAll(async () => {
  for (const pooler of poolers.values()) await pooler.stop();
  await database.drop();
});

const urlBy = (way: Way): string => poolers.get(way)?.url(database.url) ?? database.url;

const platform = `qnsp_pqc_${randomBytes(32).toString('base64url')}`;
const rootKey = randomBytes(32).toString('base64');

function startNode({ everything, notices }: Setup): Promise<Service> {
  return startService({
    env: {
      DATABASE_URL: urlBy(everything),
      ...(notices === undefined ? {} : { DATABASE_NOTIFY_URL: urlBy(notices) }),
      KMS_ROOT_KEY: rootKey,
      KMS_PLATFORM_TOKEN: platform,
      KMS_CACHE_TTL_SECONDS: CACHE_TTL_SECONDS,
      LOG_LEVEL: 'warn',
    },
  });
}

/** Sends to one node; an empty tenant is none. */
function call(node: Service, method: string, path: string, as: string | undefined, body?: unknown, tenant = '') {
  return send(`${node.baseUrl}${path}`, method, as, body, tenant === '' ? {} : { 'x-qnsp-tenant': tenant });
}

/** A tenant with a key in use by a token. */
interface Subject {
  readonly tenantId: string;
  readonly admin: string;
  readonly keyId: string;
  readonly user: string;
  readonly userId: string;
}

async function makeSubject(node: Service): Promise<Subject> {
  const tenant = await call(node, 'POST', '/kms/v1/tenants', platform, { name: 'acme' });
  const tenantId = String(tenant.body['tenantId']);
  const token = (role: string) => call(node, 'POST', '/kms/v1/tokens', platform, { name: role, role }, tenantId);
  const admin = String((await token('tenant_admin')).body['token']);
  const user = (await token('key_user')).body;
  const key = await call(node, 'POST', '/kms/v1/keys', admin, {});
  return {
    tenantId,
    admin,
    keyId: String(key.body['keyId']),
    user: String(user['token']),
    userId: String(user['tokenId']),
  };
}

/** A way to end the use of a key, and the status of its use from then on. */
const ENDINGS: readonly {
  readonly name: string;
  readonly statusAfter: number;
  end(node: Service, subject: Subject): Promise<{ readonly status: number }>;
}[] = [
  {
    name: 'revoke the key',
    statusAfter: 409,
    end: (node, { admin, keyId }) =>
      call(node, 'POST', `/kms/v1/keys/${keyId}/revoke`, admin, { reason: 'suspected_compromise' }),
  },
  {
    name: 'suspend the key',
    statusAfter: 409,
    end: (node, { admin, keyId }) => call(node, 'POST', `/kms/v1/keys/${keyId}/suspend`, admin, {}),
  },
  {
    name: 'shred the key',
    statusAfter: 409,
    end: (node, { admin, keyId }) =>
      call(node, 'POST', `/kms/v1/keys/${keyId}/shred`, admin, { confirmation: `SHRED-${keyId}` }),
  },
  {
    name: 'revoke the token',
    statusAfter: 401,
    end: (node, { admin, userId }) => call(node, 'POST', `/kms/v1/tokens/${userId}/revoke`, admin),
  },
  {
    name: 'shred the tenant',
    statusAfter: 401,
    end: (node, { tenantId }) =>
      call(node, 'POST', `/kms/v1/tenants/${tenantId}/crypto-shred`, platform, {
        confirmation: `SHRED-${tenantId}`,
        reason: 'The contract ended.',
      }),
  },
];

describe.each(SETUPS)('with $name', (setup) => {
  let nodes: readonly Service[];

  beforeAll(async () => {
    nodes = await Promise.all([startNode(setup), startNode(setup)]);
  });
  afterAll(async () => {
    await Promise.all(nodes.map((node) => node.stop()));
  });

  const use = (node: Service, { keyId, user }: Subject) =>
    call(node, 'POST', `/kms/v1/keys/${keyId}/encrypt`, user, { plaintext: DATA });

  /** Uses the key on a node for a while; when it last succeeded, and what was said at the end. */
  async function watch(node: Service, subject: Subject) {
    const begunAt = performance.now();
    let [lastSuccessMs, latest] = [0, 0];
    while (performance.now() - begunAt < LOOK_ON_MS) {
      const { answer, answeredAt } = await asked(node, () => use(node, subject));
      latest = answer.status;
      if (latest === 200) lastSuccessMs = answeredAt - begunAt;
      await sleep(10);
    }
    return { lastSuccessMs, latest };
  }

  test('every end of the use of a key counts on both nodes within a second', async () => {
    const [first] = nodes;
    if (first === undefined) throw new Error('there are two nodes');
    const results = await Promise.all(
      ENDINGS.map(async (ending) => {
        const subject = await makeSubject(first);
        // Both hold key and token, and go on using them.
        for (let round = 0; round < 5; round += 1)
          for (const node of nodes) expect(await use(node, subject)).toMatchObject({ status: 200 });
        expect(await ending.end(first, subject)).toMatchObject({ status: expect.toSatisfy((status) => status < 300) });
        return { ending, seen: await Promise.all(nodes.map((node) => watch(node, subject))) };
      }),
    );
    for (const { ending, seen } of results) {
      for (const { lastSuccessMs, latest } of seen) {
        expect(lastSuccessMs, ending.name).toBeLessThanOrEqual(BOUND_MS);
        expect(latest, ending.name).toBe(ending.statusAfter);
      }
    }
  });

  test(`what is held is ${setup.proven ? '' : 'not '}used, and the health says so`, async () => {
    const cacheCheck = async (node: Service) => {
      const { body } = await call(node, 'GET', '/health', undefined);
      return (body['checks'] as Record<string, unknown>)['cache'];
    };
    for (const node of nodes) {
      if (setup.proven) {
        await expect.poll(() => cacheCheck(node), { timeout: 10_000 }).toEqual({ status: 'ok' });
      } else {
        const degraded = { status: 'degraded', message: expect.stringContaining('DATABASE_NOTIFY_URL') };
        expect(await cacheCheck(node)).toEqual(degraded);
        await expect.poll(() => node.logs(), { timeout: 60_000 }).toContain('heartbeats do not come back');
      }
    }
  });

  test('hundreds of reads at a time are answered as without a pooler', async () => {
    const [first] = nodes;
    if (first === undefined) throw new Error('there are two nodes');
    const { keyId, user, admin } = await makeSubject(first);
    const statuses = new Map<number, number>();
    for (let round = 0; round < 3; round += 1) {
      const answers = await Promise.all(
        Array.from({ length: 120 }, (_, index) => {
          const node = nodes[index % nodes.length] ?? first;
          return index % 3 === 0
            ? call(node, 'POST', `/kms/v1/keys/${keyId}/encrypt`, user, { plaintext: DATA })
            : call(node, 'GET', `/kms/v1/keys/${keyId}`, admin);
        }),
      );
      for (const { status } of answers) statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
    expect([...statuses]).toEqual([[200, 360]]);
  });
});
