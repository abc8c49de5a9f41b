import { beforeEach, describe, expect, test } from 'vitest';
import {
  createKey,
  decrypt,
  encrypt,
  exportInventory,
  getInventory,
  type GetInventoryResult,
  type InventoryKey,
  newId,
  type Operation,
  putKeyPolicy,
  resolveAlgorithm,
  revokeKey,
  rotateKey,
  shredTenant,
  upgradeKey,
  SYSTEM_TENANT,
} from '../src/exports/internal.ts';
import { addTenant, callerOf, type Fixture, makeFixture } from './kms-fixture.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

let f: Fixture;
let admin: Operation;
let platform: Operation;
beforeEach(async () => {
  f = await makeFixture();
  admin = { kms: f.kms, caller: f.admin };
  platform = { kms: f.kms, caller: callerOf(SYSTEM_TENANT, 'platform_admin') };
});

async function allOf(op: Operation, limit: number): Promise<readonly InventoryKey[]> {
  const items: InventoryKey[] = [];
  let page: GetInventoryResult | undefined;
  do {
    const { nextCursor }: Partial<GetInventoryResult> = page ?? {};
    page = await getInventory(op, { limit, ...(nextCursor && { cursor: nextCursor }) });
    expect(page.items.length).toBeLessThanOrEqual(limit);
    items.push(...page.items);
  } while (page.nextCursor !== null);
  return items;
}

async function exported(op: Operation): Promise<readonly InventoryKey[]> {
  const items: InventoryKey[] = [];
  for await (const page of await exportInventory(op)) items.push(...page.items);
  return items;
}

describe('the inventory', () => {
  test('says of each version what its algorithm is worth, and of the key how it is kept', async () => {
    const { keyId } = await createKey(admin, {
      name: 'letters',
      algorithm: resolveAlgorithm('AES-128-GCM'),
      rotation: { periodSeconds: 90 * 24 * 60 * 60 },
      usageLimits: { maxOperations: 1000 },
    });
    await encrypt(admin, { keyId, plaintext: Buffer.from('hello') });
    f.advance(3 * DAY_MS);
    await rotateKey(admin, { keyId });
    const { items, nextCursor } = await getInventory(admin, {});
    expect(nextCursor).toBeNull();
    expect(items).toMatchObject([
      {
        tenantId: f.tenantId,
        keyId,
        name: 'letters',
        state: 'active',
        algorithm: 'aes-128-gcm',
        protectionLevel: 'software',
        quantumSafe: false,
        fipsApproved: true,
        ageDays: 3,
        maxOperations: 1000,
        rotation: { rotationPeriod: 'P90D', autoRotate: true },
        versions: [
          {
            version: 1,
            state: 'decrypt-only',
            origin: 'generated',
            algorithmNist: 'AES-128-GCM',
            standard: 'FIPS 197, SP 800-38D',
            nistCategory: 1,
            classicalBits: 128,
            quantumSafe: false,
            ageDays: 3,
          },
          { version: 2, state: 'active', ageDays: 0, countedMessages: 0 },
        ],
      },
    ]);
    // Nodes reserve operations in blocks: at least what was used.
    expect(items[0]?.countedOperations).toBeGreaterThanOrEqual(1);
    expect(items[0]?.versions[0]?.countedMessages).toBeGreaterThanOrEqual(1);
  });

  test('says in which hour each version was last used, as far as nodes have written it down', async () => {
    const { keyId } = await createKey(admin, {});
    const { ciphertext } = await encrypt(admin, { keyId, plaintext: Buffer.from('hello') });
    const versionsOf = async () => (await getInventory(admin, {})).items[0]?.versions;
    expect(await versionsOf()).toMatchObject([{ lastProtectedAt: null, lastProcessedAt: null }]);
    await f.kms.uses.flush(f.kms.store);
    const [used] = (await versionsOf()) ?? [];
    expect(used?.lastProtectedAt).toMatch(/T\d\d:00:00.000Z$/);
    expect(used?.lastProcessedAt).toBeNull();
    await decrypt(admin, { ciphertext });
    await f.kms.uses.flush(f.kms.store);
    expect((await versionsOf())?.[0]?.lastProcessedAt).toMatch(/T\d\d:00:00.000Z$/);
    const [{ usesSince, createdAt } = { usesSince: '', createdAt: '-' }] = (await getInventory(admin, {})).items;
    expect(usesSince).toBe(createdAt);
  });

  test('counts nothing of keys that may be used without a limit', async () => {
    await createKey(admin, {});
    const { items } = await getInventory(admin, {});
    expect(items[0]).toMatchObject({ countedOperations: null, versions: [{ countedMessages: null }] });
  });

  test('calls a key quantum-safe only if each version is that can still be used', async () => {
    const { keyId } = await createKey(admin, { algorithm: resolveAlgorithm('RSA-2048') });
    const safe = async () => (await getInventory(admin, {})).items[0]?.quantumSafe;
    expect(await safe()).toBe(false);
    await upgradeKey(admin, { keyId });
    expect(await safe()).toBe(false);
  });

  test('has the same keys in pages of any size and as a whole', async () => {
    for (let made = 0; made < 7; made += 1) await createKey(admin, { name: `key ${made}` });
    const whole = await exported(admin);
    expect(whole.map(({ name }) => name)).toHaveLength(7);
    for (const limit of [1, 3, 7, 200]) expect(await allOf(admin, limit)).toEqual(whole);
  });

  test('of the platform has the keys of all tenants but those that were shredded', async () => {
    const tenants = [f.tenantId];
    for (let made = 0; made < 4; made += 1) {
      const tenantId = newId();
      await addTenant(f.kms, tenantId);
      tenants.push(tenantId);
    }
    const [, empty = '', shredded = ''] = tenants;
    for (const tenantId of tenants)
      for (let made = 0; made < 3 && tenantId !== empty; made += 1)
        await createKey({ kms: f.kms, caller: callerOf(tenantId, 'tenant_admin') }, {});
    await shredTenant(
      { kms: f.kms, caller: callerOf(shredded, 'tenant_admin') },
      { tenantId: shredded, confirmation: `SHRED-${shredded}`, reason: 'end' },
    );
    const whole = await exported(platform);
    const expected = tenants.filter((tenantId) => tenantId !== empty && tenantId !== shredded);
    expect(whole.map(({ tenantId }) => tenantId).toSorted()).toEqual(
      expected.flatMap((tenantId) => [tenantId, tenantId, tenantId]).toSorted(),
    );
    for (const limit of [1, 2, 3, 4, 200]) expect(await allOf(platform, limit)).toEqual(whole);
    const own = await exported(admin);
    expect(own).toEqual(whole.filter(({ tenantId }) => tenantId === f.tenantId));
  });

  test('says how many keys it lacks because their policies hide them', async () => {
    await createKey(admin, { name: 'shown' });
    const { keyId } = await createKey(admin, { name: 'hidden' });
    const auditor: Operation = { kms: f.kms, caller: callerOf(f.tenantId, 'auditor') };
    await putKeyPolicy(admin, {
      keyId,
      policy: {
        version: '1',
        statements: [
          {
            effect: 'deny',
            principals: [auditor.caller.subject],
            actions: ['kms:keys:read'],
            resources: ['*'],
          },
        ],
      },
    });
    const { items, warnings } = await getInventory(auditor, {});
    expect(items.map(({ name }) => name)).toEqual(['shown']);
    expect(warnings).toEqual([expect.stringContaining(`${f.tenantId} that are not listed`)]);
    expect((await getInventory(admin, {})).warnings).toBeUndefined();
  });

  test('says that a key is revoked, and why', async () => {
    const { keyId } = await createKey(admin, {});
    await revokeKey(admin, { keyId, reason: 'suspected_compromise' });
    expect((await getInventory(admin, {})).items[0]).toMatchObject({
      state: 'revoked',
      revocation: { reason: 'suspected_compromise' },
    });
  });

  test('is for administrators and auditors of the tenant', async () => {
    await createKey(admin, {});
    for (const role of ['key_user', 'key_admin'] as const) {
      const op = { kms: f.kms, caller: callerOf(f.tenantId, role) };
      await expect(getInventory(op, {})).rejects.toMatchObject({ code: 'FORBIDDEN' });
      await expect(exportInventory(op)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    }
    const auditor = { kms: f.kms, caller: callerOf(f.tenantId, 'auditor') };
    expect((await getInventory(auditor, {})).items).toHaveLength(1);
    const limited = { ...f.admin, keys: new Set<string>() } as typeof f.admin;
    await expect(getInventory({ kms: f.kms, caller: limited }, {})).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });
});
