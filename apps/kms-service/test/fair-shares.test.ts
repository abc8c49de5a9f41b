import { randomBytes } from 'node:crypto';
import { createDatabase, type Service, startService } from '@qnsp/test-harness';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { send } from './local-service.ts';

const PLATFORM = `qnsp_pqc_${randomBytes(32).toString('base64url')}`;
const MESSAGE = Buffer.from('message').toString('base64');
const BATCHES = 4;
/** How many items of a batch wait at a time. */
const ITEMS_AT_ONCE = 8;

let service: Service;
let drop: () => Promise<void>;

interface Tenant {
  call(path: string, body: object, signal?: AbortSignal): Promise<{ readonly status: number; readonly body: unknown }>;
  newKey(algorithm: string): Promise<string>;
}

let many: Tenant;
let one: Tenant;
let slowKey: string;

beforeAll(async () => {
  const database = await createDatabase();
  drop = () => database.drop();
  service = await startService({
    env: {
      DATABASE_URL: database.url,
      KMS_PLATFORM_TOKEN: PLATFORM,
      KMS_ROOT_KEY: randomBytes(32).toString('base64'),
      // One of them does what is slow.
      UV_THREADPOOL_SIZE: '2',
    },
  });
  [many, one] = [await newTenant(), await newTenant()];
  slowKey = await many.newKey('SLH-DSA-SHA2-128s');
}, 120_000);
afterAll(async () => {
  await service?.stop();
  await drop?.();
});

async function newTenant(): Promise<Tenant> {
  const make = (path: string, body: object, headers = {}) =>
    send(`${service.baseUrl}${path}`, 'POST', PLATFORM, body, headers);
  const tenantId = String((await make('/kms/v1/tenants', { name: 'acme' })).body['tenantId']);
  const admin = { name: 'admin', role: 'tenant_admin' };
  const token = String((await make('/kms/v1/tokens', admin, { 'x-qnsp-tenant': tenantId })).body['token']);
  const call: Tenant['call'] = async (path, body, signal) => {
    const response = await fetch(`${service.baseUrl}/kms/v1/keys${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      ...(signal && { signal }),
    });
    return { status: response.status, body: await response.json() };
  };
  return {
    call,
    newKey: async (algorithm) => {
      const made = await call('', { name: algorithm, algorithm });
      expect(made.status).toBe(201);
      return (made.body as { readonly keyId: string }).keyId;
    },
  };
}

/** A number of the long jobs. */
async function long(metric: 'waiting' | 'running' | 'started_total'): Promise<number> {
  const metrics = await (await fetch(`${service.baseUrl}/metrics`)).text();
  return Number(new RegExp(`^kms_jobs_${metric}{kind="long"} (\\d+)$`, 'm').exec(metrics)?.[1]);
}

/** Has one tenant keep everything busy while something is done. */
async function whileBusy<T>(work: () => Promise<T>): Promise<T> {
  const gone = new AbortController();
  const items = Array.from({ length: 500 }, () => ({ data: MESSAGE }));
  const batches = Array.from({ length: BATCHES }, () =>
    many.call(`/${slowKey}/sign`, { items }, gone.signal).catch((error: unknown) => error),
  );
  await vi.waitFor(async () => expect(await long('waiting')).toBe(BATCHES * ITEMS_AT_ONCE - 1), {
    timeout: 60_000,
    interval: 50,
  });
  try {
    return await work();
  } finally {
    gone.abort();
    await Promise.all(batches);
    await vi.waitFor(async () => expect([await long('waiting'), await long('running')]).toEqual([0, 0]), {
      timeout: 60_000,
      interval: 50,
    });
  }
}

describe('while a tenant sends batches of the slowest signatures', () => {
  test('another one makes such a key, signs with it and verifies after at most a few of them', async () => {
    const started = await whileBusy(async () => {
      const before = await long('started_total');
      const keyId = await one.newKey('SLH-DSA-SHA2-128s');
      const made = await one.call(`/${keyId}/sign`, { data: MESSAGE });
      expect(made.status).toBe(200);
      return (await long('started_total')) - before;
    });
    // Two are its own. In the order of coming there would have been all that waited before each of them.
    expect(started).toBeLessThan(BATCHES * ITEMS_AT_ONCE - 12);
  }, 180_000);

  test('what is shorter does not wait for them at all', async () => {
    const keyId = await one.newKey('ML-DSA-65');
    const started = await whileBusy(async () => {
      const before = await long('started_total');
      for (let index = 0; index < 5; index += 1) {
        const { status, body } = await one.call(`/${keyId}/sign`, { data: MESSAGE });
        expect(status).toBe(200);
        expect(body).toMatchObject({ keyId });
      }
      return (await long('started_total')) - before;
    });
    // Behind each of them, five would have waited for more than as many.
    expect(started).toBeLessThan(BATCHES * ITEMS_AT_ONCE);
  }, 180_000);

  test('what their client no longer waits for is not done', async () => {
    const before = await long('started_total');
    let gone = 0;
    await whileBusy(async () => {
      gone = await long('started_total');
    });
    const after = await long('started_total');
    expect(gone - before).toBeLessThan(BATCHES * ITEMS_AT_ONCE);
    // Of hundreds that were sent, and of all that waited.
    expect(after - gone).toBeLessThan((BATCHES * ITEMS_AT_ONCE) / 2);
  }, 180_000);
});
