import { randomBytes } from 'node:crypto';
import { KmsError, localCaller, type OpenedKms, openKms, softwareRoot, type TenantId } from '@qnsp/kms-core';
import { RECORD_FORMATS } from '@qnsp/kms-core/internal';
import { openPostgresStore } from '@qnsp/kms-store-drizzle';
import { type PostgresServer, startPostgres } from '@qnsp/test-harness';
import type { Sql } from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectSoundRows, openAdminSession } from './database-invariants.ts';
import { type PostgresProxy, startPostgresProxy, type WireMessage } from './postgres-proxy.ts';

const roots = softwareRoot('software', randomBytes(32));
const plaintext = Buffer.from('data');
const LIMIT_MS = 15 * 60_000;

let server: PostgresServer;
let proxy: PostgresProxy;
let direct: OpenedKms;
let sql: Sql;

/** A process of its own, as far as the database can tell. */
async function open(url: string): Promise<OpenedKms> {
  return openKms({
    storage: await openPostgresStore({ url, ssl: 'disable', migrate: 'auto', statementTimeoutMs: 60_000 }),
    roots,
    alert: () => undefined,
    supervised: { formats: RECORD_FORMATS },
  });
}

beforeAll(async () => {
  server = await startPostgres();
  proxy = await startPostgresProxy(server.url);
  direct = await open(server.url);
  sql = openAdminSession(server.url);
});
afterAll(async () => {
  await direct.close();
  await sql.end({ timeout: 1 });
  await proxy.stop();
  await server.stop();
});

const adminOf = (kms: OpenedKms, tenantId: TenantId) =>
  kms.as(localCaller({ tenantId, subject: 'ada', role: 'tenant_admin' }));

/** A tenant whose master key was just rotated: nothing is under the new version yet. */
async function rotatedTenant(number: number) {
  const tenantId = await direct.ensureTenant(`tenant ${number}`);
  const admin = adminOf(direct, tenantId);
  const one = await admin.createKey();
  await admin.rotateKey({ keyId: one.keyId });
  const two = await admin.createKey({ name: 'destroyed' });
  await admin.shredKey({ keyId: two.keyId, confirmation: `SHRED-${two.keyId}` });
  await admin.createIdentityBinding({ issuer: 'https://issuer.example', match: { sub: 'orders' }, role: 'auditor' });
  await admin.denyIdentity({ issuer: 'https://issuer.example', sub: 'thief' });
  const { ciphertext } = await admin.encrypt({ keyId: one.keyId, plaintext });
  await admin.rotateMasterKey({ tenantId });
  return { tenantId, ciphertext };
}

async function expectReadable({ tenantId, ciphertext }: Awaited<ReturnType<typeof rotatedTenant>>): Promise<void> {
  const admin = adminOf(direct, tenantId);
  expect(Buffer.from((await admin.decrypt({ ciphertext })).plaintext)).toEqual(plaintext);
  expect((await admin.listKeys({})).items).toHaveLength(2);
  expect((await admin.listKeys({})).warnings).toBeUndefined();
  expect((await admin.listIdentityBindings({})).warnings).toBeUndefined();
  await expectSoundRows(sql);
}

/** A statement that PostgreSQL has not run yet, or one whose end the process has not seen yet. */
function isStep({ from, type, ofNotices }: WireMessage): boolean {
  if (ofNotices) return false;
  return from === 'service' ? type === 'Q' || type === 'E' : type === 'Z';
}

test('whatever step re-sealing ends at, everything opens, and the next run finishes it', {
  timeout: LIMIT_MS,
}, async () => {
  let versions = new Set<number>();
  for (let end = 1; ; end += 1) {
    const tenant = await rotatedTenant(end);
    const mortal = await open(proxy.url);
    let steps = 0;
    // From the step at which it ends nothing of the process reaches the database any more, nor the other way round.
    proxy.decide = (message) => {
      if (isStep(message)) steps += 1;
      return steps >= end ? 'cut' : 'pass';
    };
    await mortal.own.resealMasterKeys(AbortSignal.timeout(60_000)).catch((error: unknown) => {
      if (!KmsError.is(error)) throw error;
    });
    const ended = steps < end;
    proxy.decide = () => 'pass';
    await mortal.close().catch(() => undefined);
    const left = await adminOf(direct, tenant.tenantId).getTenant({ tenantId: tenant.tenantId });
    versions = versions.add(left.masterKey?.oldestVersion ?? 0);
    await expectReadable(tenant);
    const { failed } = await direct.own.resealMasterKeys(AbortSignal.timeout(60_000));
    expect(failed).toEqual([]);
    const { masterKey } = await adminOf(direct, tenant.tenantId).getTenant({ tenantId: tenant.tenantId });
    expect(masterKey).toMatchObject({ version: 2, oldestVersion: 2, resealing: { done: 4, total: 4 } });
    await expectReadable(tenant);
    if (ended) {
      // The two units that seal again, the one that destroys, and the reads before them.
      expect(end).toBeGreaterThan(30);
      expect(versions).toEqual(new Set([1, 2]));
      return;
    }
  }
});
