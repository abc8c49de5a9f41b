import { createDatabase, startTcpProxy, type TcpProxy } from '@qnsp/test-harness';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { expectUnavailable } from './expect-unavailable.ts';
import { type KmsOnPostgres, startKms } from './kms-on-postgres.ts';

/** Each way: within the limit of an access, and far beyond what can be relied on. */
const DELAY_MS = 500;
const TIMEOUT_MS = 5000;
const PLAINTEXT = Buffer.from('attack at dawn').toString('base64');

let proxy: TcpProxy;
let kms: KmsOnPostgres;

beforeAll(async () => {
  const url = new URL((await createDatabase()).url);
  proxy = await startTcpProxy(Number(url.port));
  url.port = String(proxy.port);
  kms = await startKms({ databaseUrl: url.href, timeoutMs: TIMEOUT_MS });
});
afterAll(async () => {
  await kms.stop();
  await proxy.stop();
});

test('a database that answers, but always late: the call is answered within its deadline, and says why', async () => {
  const { body } = await kms.call({ method: 'POST', path: '/kms/v1/keys', body: {} });
  const encrypt = () =>
    kms.call({ method: 'POST', path: `/kms/v1/keys/${String(body['keyId'])}/encrypt`, body: { plaintext: PLAINTEXT } });
  proxy.delay(DELAY_MS);
  // Until the last proof is too old, what is held is used.
  await vi.waitFor(async () => expect((await encrypt()).status).toBe(503), { timeout: 20_000, interval: 200 });
  const begun = performance.now();
  expectUnavailable(await encrypt());
  expect(performance.now() - begun).toBeLessThan(5 * TIMEOUT_MS);
  await vi.waitFor(() => expect(kms.logs()).toContain('The database answers too slowly to be relied on'), 10_000);
  proxy.resume();
  await vi.waitFor(async () => expect((await encrypt()).status).toBe(200), { timeout: 20_000, interval: 200 });
}, 600_000);
