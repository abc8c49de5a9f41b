import assert from 'node:assert/strict';
import { type ApiTokenRecord, identityOfToken } from '../access/api-token.ts';
import { newId, type TenantId } from '../model/identifiers.ts';
import {
  TOKEN_IDENTITY,
  TOKEN_OVERLAP_END,
  TOKEN_PARENT,
  TOKEN_PURPOSE,
  TOKEN_REPLACES,
  withField,
} from '../model/record-fields.ts';
import type { Store } from '../ports/store.ts';
import type { Rules } from './contract.ts';
import { asTenant, comparable, newTenant, revoked, sampleMac, sampleToken, SYSTEM } from './store-samples.ts';

const HOUR_MS = 60 * 60_000;
const END = new Date('2027-02-01T00:00:00.001Z');

function childOf(parent: ApiTokenRecord): ApiTokenRecord {
  return sampleToken(parent.tenantId, { fields: withField({}, TOKEN_PARENT, identityOfToken(parent)) });
}

function successorOf(token: ApiTokenRecord): ApiTokenRecord {
  const fields = withField(token.fields, TOKEN_IDENTITY, identityOfToken(token));
  return sampleToken(token.tenantId, { fields: withField(fields, TOKEN_REPLACES, token.tokenId) });
}

function retired(token: ApiTokenRecord, at = END): ApiTokenRecord {
  return { ...token, fields: withField(token.fields, TOKEN_OVERLAP_END, at), mac: sampleMac({ tmkVersion: 2 }) };
}

/** What a store owes of tokens that create and replace one another, and of their uses. */
export function lineageRules({ it }: Rules, store: () => Store): void {
  const insert = (tenantId: TenantId, ...tokens: readonly ApiTokenRecord[]) =>
    asTenant(store(), tenantId, async (unit) => {
      for (const token of tokens) await unit.tokens.insert(token);
    });
  const lineage = async (tenantId: TenantId, identity: string, limit = 200) =>
    (await asTenant(store(), tenantId, (unit) => unit.tokens.lockLineage(identity, limit))).map(
      ({ tokenId }) => tokenId,
    );
  const sorted = (...tokens: readonly ApiTokenRecord[]) => tokens.map(({ tokenId }) => tokenId).sort();

  it('finds the live tokens of a lineage: what replaced one, and what any of them created, level by level', async () => {
    const tenantId = await newTenant(store());
    const top = sampleToken(tenantId);
    const next = successorOf(top);
    const [first, second] = [childOf(top), childOf(next)];
    const replaced = successorOf(first);
    const grandchild = childOf(replaced);
    const apart = sampleToken(tenantId);
    const beside = childOf(apart);
    await insert(tenantId, top, next, first, second, replaced, grandchild, apart, beside);
    assert.deepEqual(await lineage(tenantId, top.tokenId), sorted(top, next, first, second, replaced, grandchild));
    assert.deepEqual(await lineage(tenantId, first.tokenId), sorted(first, replaced, grandchild));
    assert.deepEqual(await lineage(tenantId, apart.tokenId), sorted(apart, beside));
    assert.deepEqual(await lineage(tenantId, newId()), []);
    // What lies in between may have ended.
    await asTenant(store(), tenantId, (unit) => unit.tokens.revoke(revoked(first, END), revoked(replaced, END)));
    assert.deepEqual(await lineage(tenantId, top.tokenId), sorted(top, next, second, grandchild));
    assert.deepEqual(await lineage(tenantId, top.tokenId, 2), sorted(top, next, second, grandchild).slice(0, 2));
  });

  it('comes to an end of a lineage that goes round in a circle', async () => {
    const tenantId = await newTenant(store());
    const [a, b] = [newId(), newId()];
    const tokens = [
      sampleToken(tenantId, { tokenId: a, fields: withField({}, TOKEN_PARENT, b) }),
      sampleToken(tenantId, { tokenId: b, fields: withField({}, TOKEN_PARENT, a) }),
    ];
    await insert(tenantId, ...tokens);
    assert.deepEqual(await lineage(tenantId, a), [a, b].sort());
  });

  it('keeps the lineage of a tenant from another one', async () => {
    const [tenantId, other] = [await newTenant(store()), await newTenant(store())];
    const top = sampleToken(tenantId);
    const stray = sampleToken(other, { fields: withField({}, TOKEN_PARENT, top.tokenId) });
    await insert(tenantId, top);
    await insert(other, stray);
    assert.deepEqual(await lineage(tenantId, top.tokenId), [top.tokenId]);
    assert.deepEqual(await lineage(other, top.tokenId), [stray.tokenId]);
  });

  it('gives a token that was replaced its end once, and changes nothing else of it', async () => {
    const tenantId = await newTenant(store());
    const token = sampleToken(tenantId, { fields: withField({}, TOKEN_PURPOSE, 'deploys') });
    await insert(tenantId, token);
    const ended = retired(token);
    await asTenant(store(), tenantId, (unit) => unit.tokens.retire({ ...ended, name: 'another', role: 'auditor' }));
    const stored = async () => comparable(await store().findToken(token.hash));
    assert.deepEqual(await stored(), comparable(ended));
    for (const again of [retired(token), retired(token, new Date(END.getTime() + 1)), token])
      await assert.rejects(
        asTenant(store(), tenantId, (unit) => unit.tokens.retire(again)),
        { code: 'INTERNAL_ERROR' },
      );
    const absent = asTenant(store(), tenantId, (unit) => unit.tokens.retire(retired(sampleToken(tenantId))));
    await assert.rejects(absent, { code: 'NOT_FOUND' });
    assert.deepEqual(await stored(), comparable(ended));
    // It can be revoked before that.
    await asTenant(store(), tenantId, (unit) => unit.tokens.revoke(revoked(ended, unit.now)));
  });

  it('takes no other field for the end of a token that was replaced, and none of a revoked one', async () => {
    const tenantId = await newTenant(store());
    const [token, other] = [sampleToken(tenantId, { fields: { x: 1 } }), sampleToken(tenantId)];
    await insert(tenantId, token, other);
    for (const fields of [{ x: 1, y: 2 }, {}, { '!overlapEnd': 1 }, { x: 2, '!overlapEnd': 1 }])
      await assert.rejects(
        asTenant(store(), tenantId, (unit) => unit.tokens.retire({ ...token, fields })),
        { code: 'INTERNAL_ERROR' },
      );
    await asTenant(store(), tenantId, (unit) => unit.tokens.revoke(revoked(other, END)));
    const late = asTenant(store(), tenantId, (unit) => unit.tokens.retire(retired(revoked(other, END))));
    await assert.rejects(late, { code: 'NOT_FOUND' });
    assert.deepEqual(comparable(await store().findToken(token.hash)), comparable(token));
  });

  it('writes down the last use of tokens, which never goes back', async () => {
    const [tenantId, other] = [await newTenant(store()), await newTenant(store())];
    const [used, unused, foreign] = [sampleToken(tenantId), sampleToken(tenantId), sampleToken(other)];
    await insert(tenantId, used, unused);
    await insert(other, foreign);
    const early = new Date('2026-03-01T10:00:00.000Z');
    const late = new Date(early.getTime() + HOUR_MS);
    const write = (at: Date) =>
      store().transact(SYSTEM, (unit) =>
        unit.tokens.recordUses(new Map([used.tokenId, foreign.tokenId, newId()].map((tokenId) => [tokenId, at]))),
      );
    const ids = [used.tokenId, unused.tokenId, foreign.tokenId];
    const uses = () => asTenant(store(), tenantId, (unit) => unit.tokens.lastUses(ids));
    assert.deepEqual(await uses(), new Map());
    for (const [at, then] of [
      [early, early],
      [late, late],
      [early, late],
    ] as const) {
      await write(at);
      assert.deepEqual(await uses(), new Map([[used.tokenId, then]]));
    }
    const all = await store().transact(SYSTEM, (unit) => unit.tokens.lastUses(ids));
    assert.deepEqual(new Set(all.keys()), new Set([used.tokenId, foreign.tokenId]));
    assert.deepEqual(await asTenant(store(), tenantId, (unit) => unit.tokens.lastUses([])), new Map());
    const attempt = asTenant(store(), tenantId, (unit) => unit.tokens.recordUses(new Map([[used.tokenId, late]])));
    await assert.rejects(attempt, { code: 'INTERNAL_ERROR' });
  });

  it('removes the last use of a token with the token', async () => {
    const tenantId = await newTenant(store());
    const at = new Date('2026-03-01T10:00:00.000Z');
    const token = sampleToken(tenantId, { expiresAt: at });
    await insert(tenantId, token);
    await store().transact(SYSTEM, (unit) => unit.tokens.recordUses(new Map([[token.tokenId, at]])));
    await store().transact(SYSTEM, (unit) => unit.tokens.remove([token.tokenId], new Date(at.getTime() + 1)));
    const uses = await store().transact(SYSTEM, (unit) => unit.tokens.lastUses([token.tokenId]));
    assert.deepEqual(uses, new Map());
  });
}
