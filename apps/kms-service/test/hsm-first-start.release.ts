import {
  createDatabase,
  type FaultyModule,
  faultyModule,
  type Service,
  startService,
  type TestDatabase,
} from '@qnsp/test-harness';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeTokens, type Tokens } from './two-tokens.ts';

/** Longer than the database lets one access, and so one transaction, take. */
const SLOW_MS = 7000;

let tokens: Tokens;
let module: FaultyModule;
let database: TestDatabase;
let env: Record<string, string>;

beforeEach(async () => {
  tokens = await makeTokens(['main']);
  module = faultyModule(tokens.modulePath);
  database = await createDatabase();
  env = {
    ...tokens.env,
    ...(module.environment as Record<string, string>),
    DATABASE_URL: database.url,
    KMS_PKCS11_CONFIGS_JSON: JSON.stringify([{ ...tokens.config('main'), modulePath: module.path, timeoutMs: 5000 }]),
  };
});
afterEach(async () => {
  await database?.drop();
  await module?.remove();
  await tokens?.remove();
});

/** As a supervisor does: SoftHSM answers a general error now and then while another process makes a key, which ends a start with 1. */
async function startSupervised(attempts = 5): Promise<Service> {
  try {
    return await startService({ env });
  } catch (error) {
    if (attempts === 1 || !/cannot be used now.*CKR_GENERAL_ERROR/.test(String(error))) throw error;
    return startSupervised(attempts - 1);
  }
}

const roots = () => tokens.show('main', '--list-objects', '--type', 'secrkey');

test('a first start succeeds with an HSM that takes longer to make a key than the database waits', async () => {
  module.rules(`C_GenerateKey delay ${SLOW_MS}`);
  const begun = performance.now();
  const service = await startService({ env });
  expect(performance.now() - begun).toBeGreaterThan(SLOW_MS);
  await service.stop();
  expect((await roots()).match(/Secret Key Object/g)).toHaveLength(1);
}, 600_000);

test('nodes that start for the first time at the same moment end with one root, and all of them serve', async () => {
  module.rules('C_GenerateKey delay 1000');
  const started = await Promise.allSettled([startSupervised(), startSupervised()]);
  const services = started.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  try {
    expect(started.filter(({ status }) => status === 'rejected')).toEqual([]);
    for (const { baseUrl } of services) {
      const health = (await (await fetch(`${baseUrl}/health`)).json()) as { readonly status: string };
      expect(health.status).toBe('ok');
    }
    expect((await roots()).match(/Secret Key Object/g)).toHaveLength(1);
  } finally {
    await Promise.all(services.map((service) => service.stop()));
  }
}, 600_000);
