import { comparable, newTenant, nextRevision, rotated, sampleKey, sampleMac, someBytes } from '@qnsp/kms-core/testing';
import { openPostgresStore } from '@qnsp/kms-store-drizzle';
import { insertKeys } from '@qnsp/kms-store-drizzle/testing';
import { createDatabase } from '@qnsp/test-harness';
import { expect, it } from 'vitest';

it('keys that are inserted in bulk are read as they were given, and obey the constraints', async () => {
  const database = await createDatabase();
  const { store, close } = await openPostgresStore({ url: database.url, ssl: 'disable', migrate: 'auto' });
  const tenantId = await newTenant(store);
  const full = sampleKey(tenantId, {
    name: 'tab\tbackslash\\nline\nreturn\r"quote"',
    metadata: { 'a\\b': 'c\td' },
    policy: { version: '1', statements: [{ effect: 'deny', actions: ['*'], resources: ['*'] }] },
    rotation: { periodSeconds: 60, auto: true, retainVersions: 2, nextRotationAt: new Date(1) },
    usageLimits: { maxOperations: 7, expiresAt: new Date(2) },
    revocation: { reason: 'end_of_life', at: new Date(3) },
  });
  const inserted = [full, rotated(sampleKey(tenantId)), nextRevision(sampleKey(tenantId))];
  await insertKeys(database.url, [inserted.slice(0, 2), inserted.slice(2)]);
  for (const key of inserted) expect(comparable(await store.readKey(tenantId, key.keyId))).toEqual(comparable(key));
  const broken = sampleKey(tenantId, { mac: sampleMac({ tag: someBytes(31) }) });
  await expect(insertKeys(database.url, [[broken]])).rejects.toThrow('keys_mac');
  await close();
  await database.drop();
});
