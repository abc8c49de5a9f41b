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
  /** All of one instant. */
  const sorted = (...tokens: readonly ApiTokenRecord[]) =>
    tokens
      .map(({ tokenId }) => tokenId)
      .sort()
      .toReversed();

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
    assert.deepEqual(await lineage(tenantId, a), [a, b].sort().toReversed());
  });

  it('leaves out of a lineage what ended by itself, but not what lies below it', async () => {
    const tenantId = await newTenant(store());
    const now = await asTenant(store(), tenantId, async (unit) => unit.now);
    const [past, future] = [new Date(now.getTime() - 1), new Date(now.getTime() + HOUR_MS)];
    const top = sampleToken(tenantId);
    const [replaced, replacing] = [retired(childOf(top), past), retired(childOf(top), future)];
    const [expired, expiring] = [
      { ...childOf(top), expiresAt: past },
      { ...childOf(top), expiresAt: future },
    ];
    const both = retired({ ...childOf(top), expiresAt: future }, past);
    const below = [childOf(replaced), childOf(expired)];
    await insert(tenantId, top, replaced, replacing, expired, expiring, both, ...below);
    assert.deepEqual(await lineage(tenantId, top.tokenId), sorted(top, replacing, expiring, ...below));
    // The end may be written down later, too.
    const later = retired(expiring, past);
    await asTenant(store(), tenantId, (unit) => unit.tokens.retire(later));
    assert.deepEqual(await lineage(tenantId, top.tokenId), sorted(top, replacing, ...below));
    assert.deepEqual(await lineage(tenantId, replaced.tokenId), sorted(...below.slice(0, 1)));
  });

  it('shows the newest tokens of a lineage first', async () => {
    const tenantId = await newTenant(store());
    const top = sampleToken(tenantId, { createdAt: new Date(1_780_000_000_002) });
    const [early, late] = [1, 3].map((at) => ({ ...childOf(top), createdAt: new Date(1_780_000_000_000 + at) }));
    assert.ok(early && late);
    await insert(tenantId, early, top, late);
    const newest = [late, top, early].map(({ tokenId }) => tokenId);
    assert.deepEqual(await lineage(tenantId, top.tokenId), newest);
    assert.deepEqual(await lineage(tenantId, top.tokenId, 2), newest.slice(0, 2));
  });

  it('finds a lineage although somebody wrote strange records into it, which bring no others with them', async () => {
    const tenantId = await newTenant(store());
    const top = sampleToken(tenantId);
    const child = childOf(top);
    const other = sampleToken(tenantId);
    const strange = ['x', '', '{}', other.tokenId].map((identity) =>
      sampleToken(tenantId, { fields: withField(childOf(top).fields, TOKEN_IDENTITY, identity) }),
    );
    await insert(tenantId, top, child, other, childOf(other), successorOf(other), ...strange);
    assert.deepEqual(await lineage(tenantId, top.tokenId), sorted(top, child));
    for (const { tokenId } of strange) assert.deepEqual(await lineage(tenantId, tokenId), [tokenId]);
    const odd = sampleToken(tenantId, { fields: withField({}, TOKEN_PARENT, 'x') });
    await insert(tenantId, odd);
    assert.deepEqual(await lineage(tenantId, 'x'), sorted(odd, ...strange.slice(0, 1)));
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
