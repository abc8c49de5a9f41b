import { beforeEach, describe, expect, test } from 'vitest';
import {
  createApiToken,
  installPlatformToken,
  type Kms,
  listApiTokens,
  newId,
  operationOfService,
  removeExpiredTokens,
  revokeApiToken,
  SERVICE_ITSELF,
  shredTenant,
} from '../src/exports/internal.ts';
import { someBytes, SYSTEM } from '../src/testing/index.ts';
import { type Fixture, makeFixture } from './kms-fixture.ts';
import { SealedEvidence } from './sealed-evidence.ts';

const DAY = 24 * 60 * 60 * 1000;
const RETENTION = { seconds: 400 * 24 * 60 * 60 };
const LONG = 402 * DAY;
let f: Fixture;
let kms: Kms;

beforeEach(async () => {
  f = await makeFixture();
  const trail = { requireRoom: () => undefined, record: () => Promise.resolve() };
  kms = { ...f.kms, evidence: { trail, store: new SealedEvidence() } };
});

const admin = () => ({ kms, caller: f.admin });
const install = (token: string | undefined) =>
  installPlatformToken(operationOfService(kms, 'installPlatformToken'), token);
const remove = (signal = new AbortController().signal) =>
  removeExpiredTokens(operationOfService(kms, 'removeExpiredTokens'), RETENTION, signal);
const make = async (expiresAt: Date | null = null) =>
  (await createApiToken(admin(), { name: 'job', role: 'key_user', expiresAt })).tokenId;
const end = async () => {
  const tokenId = await make(new Date(kms.clock() + DAY));
  await revokeApiToken(admin(), { tokenId });
  return tokenId;
};
const left = async () => (await listApiTokens(admin(), { limit: 200 })).items.map(({ tokenId }) => tokenId);
const events = () => f.store.evidence().filter(({ eventType }) => eventType === 'kms.token.removed');

describe('tokens that expired', () => {
  test('are removed when the retention is over since they expired, revoked or not, and in no other case', async () => {
    const [living, revoked] = [await make(), await make()];
    await revokeApiToken(admin(), { tokenId: revoked });
    const [ended, expired] = [await end(), await make(new Date(kms.clock() + 2 * DAY))];
    const later = await make(new Date(kms.clock() + 4 * DAY));
    f.advance(401 * DAY - 1000);
    expect(await remove()).toEqual({ removed: 0, kept: 0 });
    f.advance(2000);
    expect(await remove()).toEqual({ removed: 1, kept: 0 });
    expect(new Set(await left())).toEqual(new Set([living, revoked, expired, later]));
    f.advance(DAY);
    expect(await remove()).toEqual({ removed: 1, kept: 0 });
    expect(new Set(await left())).toEqual(new Set([living, revoked, later]));
    expect(events().map(({ changes }) => changes?.before?.['tokenIds'])).toEqual([[ended], [expired]]);
  });

  test('leave one event for each tenant and unit, with the id of each', async () => {
    const ended: string[] = [];
    for (let count = 0; count < 150; count += 1) ended.push(await end());
    f.advance(LONG);
    expect(await remove()).toEqual({ removed: 150, kept: 0 });
    expect(await left()).toEqual([]);
    const ids = events().map(({ changes }) => changes?.before?.['tokenIds'] as readonly string[]);
    expect(ids.map((each) => each.length)).toEqual([100, 50]);
    expect(new Set(ids.flat())).toEqual(new Set(ended));
    expect(events()[0]).toMatchObject({
      tenantId: f.tenantId,
      actor: SERVICE_ITSELF,
      action: 'removeExpiredTokens',
      resource: { type: 'token', id: null },
    });
  });

  test('are removed some at a time, and none after the service was told to stop', async () => {
    for (let count = 0; count < 5; count += 1) await end();
    f.advance(LONG);
    expect(await remove(AbortSignal.abort())).toEqual({ removed: 0, kept: 0 });
    expect(await left()).toHaveLength(5);
  });

  test('of a shredded tenant are removed as well', async () => {
    await make(new Date(kms.clock() + DAY));
    const { tenantId } = f;
    await shredTenant(admin(), { tenantId, confirmation: `SHRED-${tenantId}`, reason: 'test' });
    f.advance(LONG);
    expect(await remove()).toEqual({ removed: 1, kept: 0 });
  });

  test('of the platform stay, so that none becomes valid again', async () => {
    const token = `qnsp_pqc_${'x'.repeat(43)}`;
    await install(token);
    await install(undefined);
    f.advance(LONG);
    expect(await remove()).toEqual({ removed: 0, kept: 0 });
    await install(token);
    const { items } = await kms.store.transact(SYSTEM, (unit) => unit.tokens.list({ tenantId: null, limit: 10 }));
    expect(items.map(({ revokedAt }) => revokedAt)).toEqual([expect.any(Date)]);
  });

  test('only in a record that somebody else wrote are kept, and do not keep others', async () => {
    const [forged, ended] = [newId(), await end()];
    await kms.store.transact(SYSTEM, async (unit) => {
      const token = await unit.tokens.get(ended);
      // With the MAC of another one.
      if (token !== undefined) await unit.tokens.insert({ ...token, tokenId: forged, hash: someBytes(32) });
    });
    f.advance(LONG);
    expect(await remove()).toEqual({ removed: 1, kept: 1 });
    const { items } = await kms.store.transact(SYSTEM, (unit) => unit.tokens.list({ tenantId: f.tenantId, limit: 10 }));
    expect(items.map(({ tokenId }) => tokenId)).toEqual([forged]);
    expect(events().map(({ changes }) => changes?.before?.['tokenIds'])).toEqual([[ended]]);
  });
});
