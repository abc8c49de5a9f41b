import { beforeEach, describe, expect, test } from 'vitest';
import {
  authenticateToken,
  createApiToken,
  InProcessFeed,
  listTenants,
  shredTenant,
  SYSTEM_TENANT,
  TokenRing,
  updateTenant,
  type UpdateTenantInput,
} from '../src/exports/internal.ts';
import { MapCache } from '../src/testing/map-cache.ts';
import { failure } from './crypto-samples.ts';
import { callerOf, type Fixture, makeFixture } from './kms-fixture.ts';

const operator = callerOf(SYSTEM_TENANT, null, ['kms:tenants:manage']);

describe('limits of one tenant', () => {
  let f: Fixture;
  beforeEach(async () => {
    f = await makeFixture();
  });
  const set = (limits: UpdateTenantInput['limits'], tenantId = f.tenantId) =>
    updateTenant({ kms: f.kms, caller: operator }, { tenantId, limits: limits ?? {} });
  const shown = async () =>
    (await listTenants({ kms: f.kms, caller: operator }, {})).items.find(({ tenantId }) => tenantId === f.tenantId);

  test('are shown, changed, kept where they are left out, and given up', async () => {
    expect(await shown()).toMatchObject({ limits: { rate: null } });
    expect(await set({ rate: { unitsPerSecond: 50 } })).toMatchObject({
      limits: { rate: { unitsPerSecond: 50, burst: 50 } },
    });
    await set({ rate: { unitsPerSecond: 70, burst: 900 } });
    await set({});
    expect(await shown()).toMatchObject({ limits: { rate: { unitsPerSecond: 70, burst: 900 } } });
    await set({ rate: null });
    expect(await shown()).toMatchObject({ limits: { rate: null } });
  });

  test('go with whoever the credentials of the tenant stand for, from the moment of the change', async () => {
    const { token } = await createApiToken({ kms: f.kms, caller: f.admin }, { name: 'token', role: 'key_user' });
    expect((await authenticateToken(f.kms, token)).tenantLimits).toBeUndefined();
    await set({ rate: { unitsPerSecond: 50 } });
    expect((await authenticateToken(f.kms, token)).tenantLimits).toMatchObject({
      rate: { unitsPerSecond: 50, burst: 50 },
    });
    await set({ rate: null });
    expect((await authenticateToken(f.kms, token)).tenantLimits).toBeUndefined();
  });

  test('count at once where they were changed, without waiting for the news of it', async () => {
    const feed = new InProcessFeed();
    const tokens = new TokenRing(f.store, f.kms.hierarchy, { feed, memory: new MapCache() });
    const kms = { ...f.kms, tokens };
    const { token } = await createApiToken({ kms, caller: f.admin }, { name: 'token', role: 'key_user' });
    expect((await authenticateToken(kms, token)).tenantLimits).toBeUndefined();
    expect(tokens.held).toBe(1);
    await updateTenant({ kms, caller: operator }, { tenantId: f.tenantId, limits: { rate: { unitsPerSecond: 50 } } });
    expect((await authenticateToken(kms, token)).tenantLimits).toMatchObject({
      rate: { unitsPerSecond: 50, burst: 50 },
    });
  });

  test.each([
    ['a burst of nothing', { unitsPerSecond: 5, burst: 0 }],
    ['a burst without a limit', { unitsPerSecond: 0, burst: 5 }],
  ])('may not have %s', async (_what, rate) => {
    await expect(set({ rate })).rejects.toThrow(failure('BAD_REQUEST'));
    expect(await shown()).toMatchObject({ limits: { rate: null } });
  });

  test('are not changed any more when the tenant was shredded', async () => {
    const confirmation = `SHRED-${f.tenantId}`;
    await shredTenant({ kms: f.kms, caller: f.admin }, { tenantId: f.tenantId, confirmation, reason: 'test' });
    await expect(set({ rate: { unitsPerSecond: 50 } })).rejects.toThrow(failure('CONFLICT'));
  });

  test('are set by the platform alone', async () => {
    const attempt = updateTenant({ kms: f.kms, caller: f.admin }, { tenantId: f.tenantId, limits: { rate: null } });
    await expect(attempt).rejects.toThrow(failure('FORBIDDEN'));
    await expect(set({ rate: null }, SYSTEM_TENANT)).rejects.toThrow(failure('NOT_FOUND'));
  });

  test('cannot be written into the database by anybody else', async () => {
    const { token } = await createApiToken({ kms: f.kms, caller: f.admin }, { name: 'token', role: 'key_user' });
    await set({ rate: { unitsPerSecond: 50 } });
    await f.store.transact({ kind: 'system' }, async (unit) => {
      const tenant = await unit.tenants.get(f.tenantId);
      if (tenant === undefined) throw new Error('there is no tenant');
      await unit.tenants.setFields({ ...tenant, fields: { ...tenant.fields, '!rate': 1_000_000 } });
    });
    f.kms.tokens.forgetTenant(f.tenantId);
    await expect(Promise.resolve().then(() => authenticateToken(f.kms, token))).rejects.toThrow(
      failure('INTERNAL_ERROR'),
    );
    await expect(set({ rate: null })).rejects.toThrow(failure('INTERNAL_ERROR'));
  });
});
