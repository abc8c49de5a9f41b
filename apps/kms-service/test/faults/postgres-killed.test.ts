import { createDatabase, type PostgresServer, startPostgres } from '@qnsp/test-harness';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type KmsOnPostgres, startKms } from './kms-on-postgres.ts';
import { RIDE, rideOut } from './ride-out.ts';

let server: PostgresServer;
let databaseUrl: string;
let kms: KmsOnPostgres;

beforeAll(async () => {
  server = await startPostgres();
  databaseUrl = (await createDatabase(server.url)).url;
  kms = await startKms({ databaseUrl, env: { KMS_JOB_INTERVAL_MS: '200' } });
});
afterAll(async () => {
  await kms.stop();
  await server.stop();
});

test('PostgreSQL is killed with -9 under load and started again', RIDE, async () => {
  await rideOut(kms, databaseUrl, {
    strike: () => server.kill9(),
    heal: () => server.restart(),
    leaves: 'nothing',
    says: /ECONNREFUSED/,
    readyz: 503,
  });
  const metrics = await (await fetch(`${kms.baseUrl()}/metrics`)).text();
  expect(metrics).toMatch(/kms_operations_total\{wire="qnsp",operation="\w+",status="503"\} [1-9]/);
});
