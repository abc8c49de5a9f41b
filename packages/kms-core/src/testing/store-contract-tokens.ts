import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { newId } from '../model/identifiers.ts';
import type { ApiTokenRecord } from '../access/api-token.ts';
import { OPERATIONS } from '../operations/catalog.ts';
import type { ExpiredToken, Store, TokenQuery, UnitOfWork } from '../ports/store.ts';
import { assertMembers } from './assert-members.ts';
import type { Rules } from './contract.ts';
import { asTenant, comparable, newTenant, revoked, sampleToken, someBytes, SYSTEM } from './store-samples.ts';

/** The tokens of all pages. */
async function everyToken(store: Store, query: Omit<TokenQuery, 'limit'>, limit = 200): Promise<ApiTokenRecord[]> {
  const found: ApiTokenRecord[] = [];
  for (let more = true; more; ) {
    const page = await store.transact(SYSTEM, (unit) =>
      unit.tokens.list({ ...query, limit, after: found.at(-1) ?? null }),
    );
    found.push(...page.items);
    if (page.more && page.items.length === 0) assert.fail('the list does not end');
    more = page.more;
  }
  return found;
}

export function tokenRules({ it, describe }: Rules, store: () => Store): void {
  it('finds a token by its hash, whatever tenant it belongs to, with every field', async () => {
    const tenantId = await newTenant(store());
    const tokens = [
      sampleToken(tenantId, {
        name: 'ci {a,b} "quoted"',
        role: null,
        permissions: [OPERATIONS.encrypt.permission, OPERATIONS.getKey.permission],
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
      assert.deepEqual(comparable(found), comparable(token));
      const read = await store().transact(SYSTEM, (unit) => unit.tokens.get(token.tokenId, { lock: true }));
      assert.deepEqual(comparable(read), comparable(token));
    }
    assert.equal(await asTenant(store(), tenantId, (unit) => unit.tokens.get(newId())), undefined);
    assert.equal(await store().findToken(someBytes(32)), undefined);
    for (const index of [0, 15, 16, 31]) {
      const other = Uint8Array.from(tokens[0]?.hash ?? []);
      other[index] = (other[index] ?? 0) ^ 1;
      assert.equal(await store().findToken(other), undefined);
    }
  });

  it('lets nobody else revoke a token that is locked, by itself or with all live ones', async () => {
    const tenantId = await newTenant(store());
    const locks = [
      (unit: UnitOfWork, tokenId: string) => unit.tokens.get(tokenId, { lock: true }),
      (unit: UnitOfWork) => unit.tokens.list({ limit: 10, lockLive: true }),
    ];
    for (const lock of locks) {
      const token = sampleToken(tenantId);
      await asTenant(store(), tenantId, (unit) => unit.tokens.insert(token));
      let revoking: Promise<void> | undefined;
      await asTenant(store(), tenantId, async (unit) => {
        await lock(unit, token.tokenId);
        revoking = asTenant(store(), tenantId, (other) => other.tokens.revoke(revoked(token, other.now)));
        await Promise.race([revoking, sleep(50)]);
        assertMembers(await unit.tokens.get(token.tokenId), { revokedAt: null });
      });
      await revoking;
      assert.notEqual((await store().findToken(token.hash))?.revokedAt, null);
    }
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
    const { items: listed, more } = await asTenant(store(), tenantId, (unit) => unit.tokens.list({ limit: 3 }));
    assert.equal(more, false);
    assert.deepEqual(
      listed.map((token) => token.createdAt.getTime() - 1_780_000_000_000),
      [3, 2, 1],
    );
    assert.deepEqual(comparable(listed[0]), comparable(tokens[1]));
    const all = await everyToken(store(), {});
    for (const { tokenId } of [platform, ...tokens]) assert.ok(all.some((token) => token.tokenId === tokenId));
    assert.deepEqual(comparable(await everyToken(store(), { tenantId })), comparable(listed));
    const ofPlatform = await everyToken(store(), { tenantId: null });
    assert.ok(ofPlatform.map((token) => token.tokenId).includes(platform.tokenId));
    assert.deepEqual(
      ofPlatform.filter((token) => token.tenantId !== null),
      [],
    );
  });

  it('lists tokens in pages that neither repeat one nor leave one out, also of one instant', async () => {
    const tenantId = await newTenant(store());
    const tokens = Array.from({ length: 7 }, (_, index) =>
      sampleToken(tenantId, { createdAt: new Date(1_780_000_000_000 + Math.floor(index / 3)) }),
    );
    await asTenant(store(), tenantId, async (unit) => {
      for (const token of tokens) await unit.tokens.insert(token);
    });
    const whole = await asTenant(store(), tenantId, (unit) => unit.tokens.list({ limit: 200 }));
    assert.deepEqual(new Set(whole.items.map((token) => token.tokenId)), new Set(tokens.map((token) => token.tokenId)));
    for (const limit of [1, 2, 3, 7]) {
      const ids = (await everyToken(store(), { tenantId }, limit)).map((token) => token.tokenId);
      assert.deepEqual(
        ids,
        whole.items.map((token) => token.tokenId),
      );
    }
  });

  it('lists the live tokens alone, and revokes many at once or none', async () => {
    const tenantId = await newTenant(store());
    const [first, second, third] = [sampleToken(tenantId), sampleToken(tenantId), sampleToken(tenantId)];
    await asTenant(store(), tenantId, async (unit) => {
      for (const token of [first, second, third]) await unit.tokens.insert(token);
    });
    const live = async () =>
      (await everyToken(store(), { tenantId, lockLive: true })).map((token) => token.tokenId).sort();
    const ended = [first, second].map((token) => revoked(token, new Date('2027-01-01T00:00:00.001Z')));
    await asTenant(store(), tenantId, (unit) => unit.tokens.revoke(...ended));
    for (const token of ended)
      assert.deepEqual(await store().findToken(token.hash).then(comparable), comparable(token));
    assert.deepEqual(await live(), [third.tokenId]);
    const attempt = asTenant(store(), tenantId, (unit) => unit.tokens.revoke(revoked(third, unit.now), ...ended));
    await assert.rejects(attempt, { code: 'NOT_FOUND' });
    assert.deepEqual(await live(), [third.tokenId]);
    await asTenant(store(), tenantId, (unit) => unit.tokens.revoke());
  });

  it('revokes a token once, and changes nothing else of it', async () => {
    const tenantId = await newTenant(store());
    const token = sampleToken(tenantId);
    await asTenant(store(), tenantId, (unit) => unit.tokens.insert(token));
    const ended = revoked(token, new Date('2027-01-01T00:00:00.001Z'));
    await asTenant(store(), tenantId, (unit) => unit.tokens.revoke({ ...ended, name: 'another', role: 'auditor' }));
    assert.deepEqual(await store().findToken(token.hash).then(comparable), comparable(ended));
    for (const nothing of [revoked(token, new Date()), revoked(sampleToken(tenantId), new Date())]) {
      const attempt = asTenant(store(), tenantId, (unit) => unit.tokens.revoke(nothing));
      await assert.rejects(attempt, { code: 'NOT_FOUND' });
    }
    assert.deepEqual(await store().findToken(token.hash).then(comparable), comparable(ended));
  });

  it('refuses a token id or a hash that was ever used', async () => {
    const tenantId = await newTenant(store());
    const token = sampleToken(tenantId);
    await asTenant(store(), tenantId, (unit) => unit.tokens.insert(token));
    await asTenant(store(), tenantId, (unit) => unit.tokens.revoke(revoked(token, unit.now)));
    for (const reused of [{ tokenId: token.tokenId }, { hash: token.hash }]) {
      const attempt = asTenant(store(), tenantId, (unit) => unit.tokens.insert(sampleToken(tenantId, reused)));
      await assert.rejects(attempt, { code: 'CONFLICT' });
    }
    assert.equal((await everyToken(store(), { tenantId })).length, 1);
  });

  describe('of tokens that expired long ago', () => {
    const bound = new Date('2026-01-02T00:00:00.000Z');
    const [early, late] = [new Date('2026-01-01T23:59:59.999Z'), bound];
    /** Of all tokens of the store those of one tenant. */
    const expiredOf = async (tenantId: string, limit = 200): Promise<string[]> => {
      const found: string[] = [];
      for (let after: ExpiredToken | undefined, more = true; more; ) {
        const page = await store().transact(SYSTEM, (unit) => unit.tokens.lockExpired(bound, limit, after));
        found.push(...page.filter((token) => token.tenantId === tenantId).map(({ tokenId }) => tokenId));
        const last = page.at(-1);
        if (last?.expiresAt) after = { expiredAt: last.expiresAt, tokenId: last.tokenId };
        more = page.length === limit;
      }
      return found;
    };
    const insert = (...tokens: readonly ApiTokenRecord[]) =>
      store().transact(SYSTEM, async (unit) => {
        for (const token of tokens) await unit.tokens.insert(token);
      });
    const remove = (tokenIds: readonly string[], before = bound) =>
      store().transact(SYSTEM, (unit) => unit.tokens.remove(tokenIds, before));

    it('shows them in the order in which they expired, in pages, and neither others nor those of the platform', async () => {
      const tenantId = await newTenant(store());
      const endings = [
        { expiresAt: new Date(early.getTime() - 1) },
        { expiresAt: new Date(early.getTime() - 3), revokedAt: early },
        { expiresAt: new Date(early.getTime() - 2), revokedAt: new Date(early.getTime() - 9) },
        { expiresAt: early },
        { expiresAt: late },
        { expiresAt: late, revokedAt: early },
        { revokedAt: early },
        {},
      ];
      const tokens = endings.map((ending) => sampleToken(tenantId, ending));
      await insert(...tokens, sampleToken(null, { expiresAt: early }));
      const expired = [1, 2, 0, 3].map((index) => tokens[index]?.tokenId);
      for (const limit of [1, 2, 3, 200]) assert.deepEqual(await expiredOf(tenantId, limit), expired);
      const attempt = asTenant(store(), tenantId, (unit) => unit.tokens.lockExpired(bound, 1));
      await assert.rejects(attempt, { code: 'INTERNAL_ERROR' });
    });

    it('removes them for good, and nothing else', async () => {
      const tenantId = await newTenant(store());
      const [first, second] = [
        sampleToken(tenantId, { expiresAt: early, revokedAt: early }),
        sampleToken(tenantId, { expiresAt: early }),
      ];
      // A revoked one that did not expire would be valid again if its earlier row came back.
      const staying = [
        sampleToken(tenantId),
        sampleToken(tenantId, { revokedAt: early }),
        sampleToken(tenantId, { expiresAt: late, revokedAt: early }),
        sampleToken(null, { expiresAt: early, revokedAt: early }),
      ];
      await insert(first, second, ...staying);
      for (const token of staying) {
        await assert.rejects(remove([first.tokenId, token.tokenId]), { code: 'INTERNAL_ERROR' });
      }
      await assert.rejects(remove([newId()]), { code: 'INTERNAL_ERROR' });
      const soon = new Date(Date.now() + 60 * 60 * 1000);
      await assert.rejects(remove([first.tokenId], soon), { code: 'INTERNAL_ERROR' });
      const asItself = asTenant(store(), tenantId, (unit) => unit.tokens.remove([first.tokenId], bound));
      await assert.rejects(asItself, { code: 'INTERNAL_ERROR' });
      assert.deepEqual(await expiredOf(tenantId), [first.tokenId, second.tokenId].sort());
      await remove([first.tokenId, second.tokenId]);
      await remove([]);
      assert.deepEqual(await expiredOf(tenantId), []);
      assert.equal(await store().findToken(first.hash), undefined);
      for (const token of staying) assert.notEqual(await store().findToken(token.hash), undefined);
    });

    it('passes over those that somebody else removes at the same moment', async () => {
      const tenantId = await newTenant(store());
      const tokens = Array.from({ length: 3 }, () => sampleToken(tenantId, { expiresAt: early }));
      await insert(...tokens);
      const removeAll = () =>
        store().transact(SYSTEM, async (unit) => {
          const found = await unit.tokens.lockExpired(bound, 200);
          const mine = found.filter((token) => token.tenantId === tenantId).map(({ tokenId }) => tokenId);
          await unit.tokens.remove(mine, bound);
          return mine;
        });
      const removed = (await Promise.all([removeAll(), removeAll(), removeAll()])).flat();
      assert.deepEqual(removed.sort(), tokens.map(({ tokenId }) => tokenId).sort());
    });
  });

  it('takes no token of a tenant that does not exist', async () => {
    const token = sampleToken(newId());
    const attempt = store().transact(SYSTEM, (unit) => unit.tokens.insert(token));
    await assert.rejects(attempt, { code: 'INTERNAL_ERROR' });
    assert.equal(await store().findToken(token.hash), undefined);
  });
}
