import { createHash } from 'node:crypto';
import { beforeEach, expect, test } from 'vitest';
import { accountOf, drawnAccount, newId } from '../src/exports/internal.ts';
import { sampleMac } from '../src/testing/index.ts';
import { addTenant, type Fixture, makeFixture } from './kms-fixture.ts';

const SYSTEM = { kind: 'system' } as const;

let f: Fixture;
beforeEach(async () => {
  f = await makeFixture();
});

test('a tenant gets twelve digits of the SHA-256 of its id, the first time it is asked, and keeps them', async () => {
  const account = await accountOf(f.kms, f.tenantId);
  const digest = createHash('sha256').update(f.tenantId).digest('hex');
  expect(account).toBe(String(BigInt(`0x${digest}`) % 1_000_000_000_000n).padStart(12, '0'));
  expect(account).toMatch(/^\d{12}$/);
  expect(await accountOf(await f.restarted(), f.tenantId)).toBe(account);
  const stored = await f.store.transact(SYSTEM, (unit) => unit.tenants.get(f.tenantId));
  expect(stored?.fields).toEqual({ account });
});

test('where another tenant has the account it is drawn again', async () => {
  const other = newId();
  await addTenant(f.kms, other);
  await f.store.transact(SYSTEM, async (unit) => {
    const fields = { account: drawnAccount(f.tenantId, 0) };
    await unit.tenants.setFields({ tenantId: other, fields, mac: sampleMac() });
  });
  expect(await accountOf(f.kms, f.tenantId)).toBe(drawnAccount(f.tenantId, 1));
});

test('of calls at the same time each gets the same account', async () => {
  const asked = await Promise.all(Array.from({ length: 8 }, () => accountOf(f.kms, f.tenantId)));
  expect(new Set(asked).size).toBe(1);
});

test('there is none for a tenant that there is not, nor for one whose record somebody changed', async () => {
  await expect(accountOf(f.kms, newId())).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await f.store.transact(SYSTEM, (unit) =>
    unit.tenants.setFields({ tenantId: f.tenantId, fields: { account: '1'.repeat(12) }, mac: sampleMac() }),
  );
  await expect(accountOf(f.kms, f.tenantId)).rejects.toMatchObject({ code: 'INTERNAL_ERROR' });
});
