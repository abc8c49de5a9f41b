import { expect, it } from 'vitest';
import { newId } from '../model/identifiers.ts';
import type { Store } from '../ports/store.ts';
import { asTenant, comparable, newTenant, revoked, sampleToken, someBytes, SYSTEM } from './store-samples.ts';

export function tokenRules(store: () => Store): void {
  it('finds a token by its hash, whatever tenant it belongs to, with every field', async () => {
    const tenantId = await newTenant(store());
    const tokens = [
      sampleToken(tenantId, {
        name: 'ci {a,b} "quoted"',
        role: null,
        permissions: ['kms:encrypt', 'kms:keys:read'],
        expiresAt: new Date('2031-12-31T23:59:59.999Z'),
        revokedAt: new Date('2027-01-01T00:00:00.001Z'),
      }),
      sampleToken(tenantId),
      sampleToken(null, { role: 'platform_admin' }),
      sampleToken(tenantId, { mac: null }),
    ];
    await store().transact(SYSTEM, async (unit) => {
      for (const token of tokens) await unit.tokens.insert(token);
    });
    for (const token of tokens) {
      const found = await store().findToken(token.hash);
      expect(comparable(found)).toStrictEqual(comparable(token));
      const read = await store().transact(SYSTEM, (unit) => unit.tokens.get(token.tokenId, { lock: true }));
      expect(comparable(read)).toStrictEqual(comparable(token));
    }
    await expect(asTenant(store(), tenantId, (unit) => unit.tokens.get(newId()))).resolves.toBeUndefined();
    await expect(store().findToken(someBytes(32))).resolves.toBeUndefined();
  });

  it("lists a tenant's tokens, newest first, and all of them in the system scope", async () => {
    const tenantId = await newTenant(store());
    const instants = [2, 3, 1];
    const tokens = instants.map((at) => sampleToken(tenantId, { createdAt: new Date(1_780_000_000_000 + at) }));
    const platform = sampleToken(null);
    await store().transact(SYSTEM, (unit) => unit.tokens.insert(platform));
    await asTenant(store(), tenantId, async (unit) => {
      for (const token of tokens) await unit.tokens.insert(token);
    });
    const listed = await asTenant(store(), tenantId, (unit) => unit.tokens.list());
    expect(listed.map((token) => token.createdAt.getTime() - 1_780_000_000_000)).toEqual([3, 2, 1]);
    expect(comparable(listed[0])).toStrictEqual(comparable(tokens[1]));
    const all = await store().transact(SYSTEM, (unit) => unit.tokens.list());
    expect(all.map((token) => token.tokenId)).toEqual(expect.arrayContaining([platform.tokenId, tokens[0]?.tokenId]));
    const [ofTenant, ofPlatform] = await store().transact(SYSTEM, async (unit) => [
      await unit.tokens.list({ tenantId }),
      await unit.tokens.list({ tenantId: null }),
    ]);
    expect(comparable(ofTenant)).toStrictEqual(comparable(listed));
    expect(ofPlatform?.map((token) => token.tokenId)).toContain(platform.tokenId);
    expect(ofPlatform?.filter((token) => token.tenantId !== null)).toEqual([]);
  });

  it('revokes a token once, and changes nothing else of it', async () => {
    const tenantId = await newTenant(store());
    const token = sampleToken(tenantId);
    await asTenant(store(), tenantId, (unit) => unit.tokens.insert(token));
    const ended = revoked(token, new Date('2027-01-01T00:00:00.001Z'));
    await asTenant(store(), tenantId, (unit) => unit.tokens.revoke({ ...ended, name: 'another', role: 'auditor' }));
    await expect(store().findToken(token.hash).then(comparable)).resolves.toStrictEqual(comparable(ended));
    for (const nothing of [revoked(token, new Date()), revoked(sampleToken(tenantId), new Date())]) {
      const attempt = asTenant(store(), tenantId, (unit) => unit.tokens.revoke(nothing));
      await expect(attempt).rejects.toMatchObject({ code: 'NOT_FOUND' });
    }
    await expect(store().findToken(token.hash).then(comparable)).resolves.toStrictEqual(comparable(ended));
  });

  it('refuses a token id or a hash that was ever used', async () => {
    const tenantId = await newTenant(store());
    const token = sampleToken(tenantId);
    await asTenant(store(), tenantId, (unit) => unit.tokens.insert(token));
    await asTenant(store(), tenantId, (unit) => unit.tokens.revoke(revoked(token, unit.now)));
    for (const reused of [{ tokenId: token.tokenId }, { hash: token.hash }]) {
      const attempt = asTenant(store(), tenantId, (unit) => unit.tokens.insert(sampleToken(tenantId, reused)));
      await expect(attempt).rejects.toMatchObject({ code: 'CONFLICT' });
    }
    await expect(asTenant(store(), tenantId, (unit) => unit.tokens.list())).resolves.toHaveLength(1);
  });

  it('takes no token of a tenant that does not exist', async () => {
    const token = sampleToken(newId());
    const attempt = store().transact(SYSTEM, (unit) => unit.tokens.insert(token));
    await expect(attempt).rejects.toMatchObject({ code: 'INTERNAL_ERROR' });
    await expect(store().findToken(token.hash)).resolves.toBeUndefined();
  });
}
