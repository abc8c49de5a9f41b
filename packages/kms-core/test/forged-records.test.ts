import { describe, expect, test } from 'vitest';
import {
  type ApiTokenRecord,
  createApiToken,
  KeyHierarchy,
  listApiTokens,
  newId,
  operationOfService,
  RECORD_FORMATS,
  removeExpiredTokens,
  shredTenant,
  tokenAuthority,
} from '../src/exports/internal.ts';
import { someBytes, SYSTEM } from '../src/testing/index.ts';
import { makeFixture } from './kms-fixture.ts';

const DAY = 24 * 60 * 60 * 1000;

/** A tenant with one token, and beside it one that somebody wrote into the database. */
async function tenantWith(forge: (token: ApiTokenRecord) => ApiTokenRecord) {
  const f = await makeFixture();
  const op = { kms: f.kms, caller: f.admin };
  const expiresAt = new Date(f.kms.clock() + DAY);
  const { tokenId } = await createApiToken(op, { name: 'job', role: 'key_user', expiresAt });
  await f.kms.store.transact(SYSTEM, async (unit) => {
    const token = await unit.tokens.get(tokenId);
    if (token !== undefined) await unit.tokens.insert(forge({ ...token, tokenId: newId(), hash: someBytes(32) }));
  });
  const shred = (kms = f.kms) =>
    shredTenant(
      { ...op, kms },
      { tenantId: f.tenantId, confirmation: `SHRED-${f.tenantId}`, reason: 'the customer left' },
    );
  return { f, op, tokenId, shred };
}

describe.each([
  ['before 1970', new Date(-1000)],
  ['that is no date', new Date(Number.NaN)],
])('a token in the database with an instant %s', (_what, instant) => {
  const forge = (token: ApiTokenRecord): ApiTokenRecord => ({ ...token, expiresAt: instant });

  test('keeps no other token from being listed', async () => {
    const { op, tokenId } = await tenantWith(forge);
    const { items } = await listApiTokens(op, { limit: 10 });
    expect(items.map((token) => token.tokenId)).toEqual([tokenId]);
  });

  test('keeps no other token from being removed', async () => {
    const { f } = await tenantWith(forge);
    f.advance(402 * DAY);
    const service = operationOfService(f.kms, 'removeExpiredTokens');
    const { removed } = await removeExpiredTokens(
      service,
      { seconds: (400 * DAY) / 1000 },
      new AbortController().signal,
    );
    expect(removed).toBe(1);
  });

  test('keeps its tenant from no shred', async () => {
    const { shred } = await tenantWith(forge);
    expect(await shred()).toMatchObject({ state: 'shredded' });
  });
});

test('a field in a token of a format that covers none keeps its tenant from no shred', async () => {
  const { f, shred } = await tenantWith((token) => token);
  const hierarchy = new KeyHierarchy(f.kms.store, f.roots, { formats: { ...RECORD_FORMATS, written: 1 } });
  const authority = await tokenAuthority(hierarchy);
  const forged = newId();
  await f.kms.store.transact(SYSTEM, async (unit) => {
    const [token] = (await unit.tokens.list({ tenantId: f.tenantId, limit: 1 })).items;
    if (token === undefined) throw new Error('there is no token');
    const { mac: _, ...unsigned } = { ...token, tokenId: forged, hash: someBytes(32), fields: {} };
    await unit.tokens.insert({ ...authority.sign(unsigned), fields: { x: 1 } });
  });
  expect(await shred({ ...f.kms, hierarchy })).toMatchObject({ state: 'shredded' });
  const stored = await f.kms.store.transact(SYSTEM, (unit) => unit.tokens.get(forged));
  expect(stored?.revokedAt).toEqual(expect.any(Date));
});
