import { createDatabase, type Service, startService, type TestDatabase } from '@qnsp/test-harness';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, send } from './local-service.ts';
import { makeTokens, type Tokens } from './two-tokens.ts';

const PLATFORM = `qnsp_pqc_${randomBytes(32).toString('base64url')}`;
const DATA = Buffer.from('data').toString('base64');

let tokens: Tokens;
let database: TestDatabase;
let env: Record<string, string>;
let service: Service;

beforeAll(async () => {
  tokens = await makeTokens(['east', 'west']);
  database = await createDatabase();
  env = {
    ...tokens.env,
    DATABASE_URL: database.url,
    KMS_PLATFORM_TOKEN: PLATFORM,
    KMS_PKCS11_CONFIGS_JSON: JSON.stringify([tokens.config('east'), tokens.config('west')]),
    KMS_JOB_INTERVAL_MS: '200',
    KMS_HSM_SWEEP_INTERVAL_MS: '200',
  };
  service = await startService({ env });
});
afterAll(async () => {
  await service?.stop();
  await database?.drop();
  await tokens?.remove();
});

const call = (method: string, path: string, body?: unknown, tenantId?: string): Promise<Answer> =>
  send(
    `${service.baseUrl}${path}`,
    method,
    PLATFORM,
    body,
    tenantId === undefined ? {} : { 'x-qnsp-tenant': tenantId },
  );

const health = async (): Promise<Record<string, unknown>> =>
  ((await call('GET', '/health')).body['checks'] as Record<string, Record<string, unknown>>)['roots'] ?? {};

const newTenant = async (): Promise<string> => {
  const { status, body } = await call('POST', '/kms/v1/tenants', { name: 'acme' });
  expect(status, JSON.stringify(body)).toBe(201);
  return String(body['tenantId']);
};

async function seal(tenantId: string): Promise<unknown> {
  const { body: key } = await call('POST', '/kms/v1/keys', {}, tenantId);
  const { body, status } = await call('POST', '/kms/v1/encrypt', { keyId: key['keyId'], plaintext: DATA }, tenantId);
  expect(status, JSON.stringify(body)).toBe(200);
  return body['ciphertext'];
}

const opens = async (tenantId: string, ciphertext: unknown): Promise<unknown> =>
  (await call('POST', '/kms/v1/decrypt', { ciphertext }, tenantId)).body['plaintext'];

/** A request that is made again and again, and what was answered. */
interface Client {
  readonly answers: Set<string>;
  stop(): Promise<void>;
}

/** Clients without a pause: what is answered otherwise than with success is kept as status and code. */
function startClient(request: () => Promise<Answer>): Client {
  const answers = new Set<string>();
  let ends = false;
  const running = (async () => {
    while (!ends) {
      const { status, body } = await request();
      answers.add(status < 300 ? 'done' : `${status} ${String(body['code'])}`);
    }
  })();
  return {
    answers,
    stop: async () => {
      ends = true;
      await running;
    },
  };
}

describe('two HSMs under load', { timeout: 600_000 }, () => {
  test('removing either takes away the keys that live in it, for so long, and nothing else', async () => {
    const tenantId = await newTenant();
    const software = await seal(tenantId);
    const path = '/kms/v1/decrypt';
    // A node that prefers the other HSM, and so makes its keys there.
    const configs = JSON.stringify([tokens.config('west'), tokens.config('east')]);
    const other = await startService({ env: { ...env, KMS_PKCS11_CONFIGS_JSON: configs } });
    const onOther = (to: string, body: unknown) =>
      send(`${other.baseUrl}${to}`, 'POST', PLATFORM, body, { 'x-qnsp-tenant': tenantId });
    const sealIn = async (make: (to: string, body: unknown) => Promise<Answer>, provider: string): Promise<unknown> => {
      const { body: key } = await make('/kms/v1/keys', { protectionLevel: 'hsm' });
      expect(key).toMatchObject({ provider });
      return (await make('/kms/v1/encrypt', { keyId: key['keyId'], plaintext: DATA })).body['ciphertext'];
    };
    const here = (to: string, body: unknown) => call('POST', to, body, tenantId);
    const resident = { east: await sealIn(here, 'east'), west: await sealIn(onOther, 'west') };

    const clients = {
      software: startClient(() => here(path, { ciphertext: software })),
      newSoftware: startClient(() => here('/kms/v1/keys', {})),
      softwareOnOther: startClient(() => onOther(path, { ciphertext: software })),
      east: startClient(() => here(path, { ciphertext: resident.east })),
      west: startClient(() => here(path, { ciphertext: resident.west })),
    };
    const seen = (): Record<string, string[]> =>
      Object.fromEntries(Object.entries(clients).map(([name, { answers }]) => [name, [...answers].toSorted()]));
    const forget = (): void => {
      for (const { answers } of Object.values(clients)) answers.clear();
    };
    const everything = Object.fromEntries(Object.keys(clients).map((name) => [name, ['done']]));
    try {
      await expect.poll(seen, { timeout: 20_000 }).toEqual(everything);
      for (const away of ['east', 'west'] as const) {
        tokens.takeAway(away);
        await expect.poll(() => seen()[away], { timeout: 30_000 }).toContain('503 HSM_UNAVAILABLE');
        // Until it was noticed, what the module still held was answered; nothing else was ever refused.
        expect(seen()).toEqual({ ...everything, [away]: ['503 HSM_UNAVAILABLE', 'done'] });
        forget();
        await expect.poll(seen, { timeout: 20_000 }).toEqual({ ...everything, [away]: ['503 HSM_UNAVAILABLE'] });

        tokens.bringBack(away);
        await expect.poll(() => seen()[away], { timeout: 60_000 }).toContain('done');
        forget();
        await expect.poll(seen, { timeout: 20_000 }).toEqual(everything);
        await expect.poll(health, { timeout: 60_000 }).toMatchObject({ status: 'ok' });
      }
    } finally {
      await Promise.all(Object.values(clients).map((client) => client.stop()));
      await other.stop();
    }
  });
});

describe('two HSMs', { timeout: 600_000 }, () => {
  test('either opens everything alone, and the one that comes back gets what it missed', async () => {
    const first = await newTenant();
    const sealed = await seal(first);

    tokens.takeAway('east');
    // A token without its files does not say that it is away: it shows no objects any more.
    await expect
      .poll(health, { timeout: 60_000 })
      .toMatchObject({ status: 'degraded', message: expect.stringMatching(/^east is (away|refused)$/) });
    expect(await opens(first, sealed)).toBe(DATA);
    const second = await newTenant();
    const later = await seal(second);

    // A start with one of the two away.
    await service.stop();
    service = await startService({ env });
    expect(await opens(first, sealed)).toBe(DATA);
    expect(await opens(second, later)).toBe(DATA);

    tokens.bringBack('east');
    await expect.poll(health, { timeout: 60_000 }).toMatchObject({ status: 'ok' });
    await expect.poll(() => service.logs(), { timeout: 30_000 }).toContain('wrapped master keys under a root');

    tokens.takeAway('west');
    await service.stop();
    service = await startService({ env });
    expect(await opens(first, sealed)).toBe(DATA);
    expect(await opens(second, later)).toBe(DATA);
    tokens.bringBack('west');
  });

  test('make keys in whichever answers', async () => {
    await expect.poll(health, { timeout: 60_000 }).toMatchObject({ status: 'ok' });
    const tenantId = await newTenant();
    tokens.takeAway('east');
    await expect.poll(health, { timeout: 60_000 }).toMatchObject({ status: 'degraded' });
    const { status, body } = await call('POST', '/kms/v1/keys', { protectionLevel: 'hsm' }, tenantId);
    expect([status, body['provider']]).toEqual([201, 'west']);
    tokens.bringBack('east');
  });

  test('that a fresh database never saw are refused while they are away', async () => {
    const other = await createDatabase();
    tokens.takeAway('west');
    try {
      await expect(startService({ env: { ...env, DATABASE_URL: other.url } })).rejects.toThrow(
        /KMS_PKCS11_CONFIGS_JSON\[1\]: .*No initialised token matches token label "west"/,
      );
    } finally {
      tokens.bringBack('west');
      await other.drop();
    }
  });
});
