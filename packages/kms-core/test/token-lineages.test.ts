import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { AddressSet } from '../src/access/address-set.ts';
import {
  authenticateToken,
  type Caller,
  callerOf,
  createApiToken,
  createIdentityBinding,
  createKey,
  type CreateApiTokenInput,
  effectivePermissions,
  getApiToken,
  getKey,
  getOwnApiToken,
  type Identity,
  type IdempotencyRequest,
  KmsError,
  listApiTokens,
  newId,
  type Permission,
  putKeyPolicy,
  revokeApiToken,
  rotateApiToken,
} from '../src/exports/internal.ts';
import { asTenant, sampleMac, sampleToken } from '../src/testing/index.ts';
import { BINDING } from './identity-samples.ts';
import { callerOf as someCaller, type Fixture, makeFixture } from './kms-fixture.ts';

const HOUR_MS = 60 * 60_000;
const UNAUTHORIZED = { code: 'UNAUTHORIZED' };

let f: Fixture;
beforeEach(async () => {
  f = await makeFixture();
});

const identify = async (token: string): Promise<Identity> => authenticateToken(f.kms, token);
/** Who calls with a token. */
const holder = async (token: string, ip: string | null = '192.0.2.7'): Promise<Caller> =>
  callerOf(await identify(token), f.tenantId, ip);
const create = (caller: Caller, input: Partial<CreateApiTokenInput> = {}) =>
  createApiToken({ kms: f.kms, caller }, { name: 'token', role: 'tenant_admin', ...input });

describe('nobody grants more than they hold', () => {
  const PERMISSIONS: readonly Permission[] = ['kms:tokens:manage', 'kms:random', 'kms:encrypt', 'kms:sign'];
  const KEYS = Array.from({ length: 3 }, () => newId());
  const BLOCKS = ['192.0.2.0/24', '192.0.2.0/28', '192.0.2.7', '2001:db8::/32', '198.51.100.0/24'];
  const ADDRESSES = ['192.0.2.7', '192.0.2.99', '198.51.100.1', '2001:db8::1', '203.0.113.1'];
  const later = (hours: number) => new Date(Date.now() + hours * HOUR_MS);

  const input = fc.record(
    {
      permissions: fc.subarray([...PERMISSIONS], { minLength: 1 }),
      keys: fc.subarray(KEYS, { minLength: 1 }),
      addresses: fc.subarray(BLOCKS, { minLength: 1 }),
      rate: fc.integer({ min: 1, max: 5 }),
      expiresIn: fc.integer({ min: 1, max: 5 }),
    },
    { requiredKeys: ['permissions'] },
  );
  /** Which token of those that exist creates the next one, or is rotated first. */
  const step = fc.record({ by: fc.nat(), rotates: fc.boolean(), input });

  function expectWithin(child: Identity, parent: Identity): void {
    for (const permission of child.permissions) expect(parent.permissions).toContain(permission);
    const { keys, addresses, rate, expiresAt } = parent;
    if (keys !== null) for (const keyId of child.keys ?? ['every key']) expect(keys).toContain(keyId);
    for (const address of ADDRESSES)
      if (addresses && !addresses.has(address)) expect(child.addresses?.has(address)).toBe(false);
    if (rate) expect(child.rate ?? Infinity).toBeLessThanOrEqual(rate);
    if (expiresAt) expect(child.expiresAt?.getTime() ?? Infinity).toBeLessThanOrEqual(expiresAt.getTime());
  }

  test('over any lineage: each token is within the one that created it, and so within all above it', async () => {
    let [made, refused] = [0, 0];
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
        const top = await create(f.admin, { role: null, permissions: PERMISSIONS });
        const held = [{ identity: await identify(top.token), above: [] as readonly Identity[] }];
        for (const { by, rotates, input: wanted } of steps) {
          const at = by % held.length;
          const parent = held[at];
          if (parent === undefined) throw new Error('there is at least one');
          const { expiresIn, ...rest } = wanted;
          const asked = { ...rest, role: null, ...(expiresIn && { expiresAt: later(expiresIn) }) };
          // From where the parent may call.
          const ip = ADDRESSES.find((address) => parent.identity.addresses?.has(address) ?? true) ?? null;
          try {
            const caller = callerOf(parent.identity, f.tenantId, ip);
            if (rotates && parent.identity.tokenId !== undefined) {
              const next = await rotateApiToken({ kms: f.kms, caller }, { tokenId: parent.identity.tokenId });
              const identity = await identify(next.token);
              expect(identity).toEqual({ ...parent.identity, tokenId: next.tokenId });
              held[at] = { ...parent, identity };
            }
            const maker = held[at] ?? parent;
            const child = await create(callerOf(maker.identity, f.tenantId, ip), asked);
            const identity = await identify(child.token);
            for (const each of [maker.identity, ...maker.above]) expectWithin(identity, each);
            expect(child.parentTokenId).toBe(maker.identity.subject);
            held.push({ identity, above: [maker.identity, ...maker.above] });
            made += 1;
          } catch (error) {
            if (!KmsError.is(error) || error.code !== 'FORBIDDEN') throw error;
            refused += 1;
          }
        }
      }),
      { numRuns: 60 },
    );
    // Both happened often: the property is not true of nothing.
    expect(made).toBeGreaterThan(50);
    expect(refused).toBeGreaterThan(50);
  });

  test('each limit alone is refused beyond the own one, and taken over where it is not named', async () => {
    const expiresAt = later(2);
    const [keyId, other] = KEYS;
    if (keyId === undefined || other === undefined) throw new Error('there are keys');
    const limits = { keys: [keyId], addresses: ['192.0.2.0/24'], rate: 10, expiresAt };
    const parent = await create(f.admin, limits);
    const caller = await holder(parent.token);
    const beyond: Readonly<Record<string, Partial<CreateApiTokenInput>>> = {
      keys: { keys: [keyId, other] },
      addresses: { addresses: ['192.0.2.0/23'] },
      rate: { rate: 11 },
      expiresAt: { expiresAt: new Date(expiresAt.getTime() + 1) },
    };
    for (const [limit, more] of Object.entries(beyond))
      await expect(create(caller, more), limit).rejects.toMatchObject({ code: 'FORBIDDEN', details: { limit } });
    const shown = { ...limits, expiresAt: expiresAt.toISOString() };
    expect(await create(caller)).toMatchObject(shown);
    const narrower = { keys: [keyId], addresses: ['192.0.2.7'], rate: 1, expiresAt: later(1) };
    expect(await create(caller, narrower)).toMatchObject({ addresses: ['192.0.2.7'], rate: 1 });
  });

  test('a token that is rotated by somebody else must be within their credential: its secret is told to them', async () => {
    const admin = await create(f.admin);
    const weak = someCaller(f.tenantId, null, ['kms:tokens:manage']);
    const short = callerOf(
      {
        subject: 'https://issuer.example#admin',
        tenantId: f.tenantId,
        permissions: f.admin.permissions,
        attributes: { mfa: false },
        credential: 'jwt',
        keys: null,
        expiresAt: later(1),
      },
      f.tenantId,
      null,
    );
    for (const caller of [weak, short])
      await expect(rotateApiToken({ kms: f.kms, caller }, { tokenId: admin.tokenId })).rejects.toMatchObject({
        code: 'FORBIDDEN',
      });
    expect((await identify(admin.token)).tokenId).toBe(admin.tokenId);
  });
});

test('a token is taken from its addresses alone', async () => {
  const { token } = await create(f.admin, { addresses: ['192.0.2.0/24', '2001:db8::/32'] });
  for (const ip of ['192.0.2.1', '::ffff:192.0.2.1', '2001:db8::5'])
    expect(await holder(token, ip)).toMatchObject({ attributes: { ip } });
  for (const ip of ['192.0.3.1', '2001:db9::5', null])
    await expect(holder(token, ip)).rejects.toMatchObject({ code: 'FORBIDDEN', details: { deniedBy: 'addresses' } });
});

test('blocks of addresses cover what lies in one of them', () => {
  const own = new AddressSet(['192.0.2.0/25', '192.0.2.64/26', '2001:db8::/32']);
  for (const within of [['192.0.2.0/25'], ['192.0.2.1', '192.0.2.127'], ['2001:db8:1::/48'], ['::ffff:192.0.2.0/121']])
    expect(own.covers(new AddressSet(within)), within.join()).toBe(true);
  for (const beyond of [['192.0.2.0/24'], ['192.0.2.128'], ['192.0.2.1', '192.0.3.1'], ['::/0']])
    expect(own.covers(new AddressSet(beyond)), beyond.join()).toBe(false);
});

describe('a rotated token', () => {
  test('is taken until its overlap is over, and the one in its place is the same caller', async () => {
    const old = await create(f.admin, { purpose: 'letters', rate: 7 });
    const next = await rotateApiToken({ kms: f.kms, caller: f.admin }, { tokenId: old.tokenId });
    expect(next).toMatchObject({ replaces: old.tokenId, purpose: 'letters', rate: 7, role: 'tenant_admin' });
    expect(next.token).not.toBe(old.token);
    for (const token of [old.token, next.token]) expect((await identify(token)).subject).toBe(old.tokenId);
    f.advance(HOUR_MS - 1000);
    expect((await identify(old.token)).tokenId).toBe(old.tokenId);
    f.advance(1000);
    await expect(identify(old.token)).rejects.toMatchObject({ ...UNAUTHORIZED, subject: old.tokenId });
    expect((await identify(next.token)).tokenId).toBe(next.tokenId);
    const { kms, admin: caller } = f;
    const { overlapEndsAt } = await getApiToken({ kms, caller }, { tokenId: old.tokenId });
    expect(Date.parse(overlapEndsAt ?? '') - Date.parse(next.createdAt)).toBe(HOUR_MS);
  });

  test('is revoked alone unless its lineage is, and the answer says so', async () => {
    const old = await create(f.admin);
    const next = await rotateApiToken({ kms: f.kms, caller: f.admin }, { tokenId: old.tokenId });
    const revoke = (tokenId: string, cascade = false) =>
      revokeApiToken({ kms: f.kms, caller: f.admin }, { tokenId, cascade });
    const warnings = [expect.stringMatching(/replaced.*cascade/)];
    expect(await revoke(old.tokenId)).toEqual({ revoked: 1, more: false, warnings });
    expect(await revoke(old.tokenId)).toEqual({ revoked: 0, more: false, warnings });
    await identify(next.token);
    expect(await revoke(old.tokenId, true)).toEqual({ revoked: 1, more: false });
    await expect(identify(next.token)).rejects.toMatchObject(UNAUTHORIZED);
    const other = await create(f.admin);
    expect(await revoke(other.tokenId)).toEqual({ revoked: 1, more: false });
  });

  test('without an overlap ends at once', async () => {
    const old = await create(f.admin);
    await identify(old.token);
    await rotateApiToken({ kms: f.kms, caller: f.admin }, { tokenId: old.tokenId, overlapSeconds: 0 });
    await expect(identify(old.token)).rejects.toMatchObject(UNAUTHORIZED);
  });

  test('does not get around a policy that denies it something', async () => {
    const { keyId } = await createKey({ kms: f.kms, caller: f.admin }, {});
    const old = await create(f.admin, { role: 'key_user' });
    const statement = {
      effect: 'deny',
      actions: ['kms:keys:read'],
      resources: ['*'],
      principals: [old.tokenId],
    } as const;
    await putKeyPolicy({ kms: f.kms, caller: f.admin }, { keyId, policy: { version: '1', statements: [statement] } });
    const next = await rotateApiToken({ kms: f.kms, caller: await holder(old.token) }, { tokenId: old.tokenId });
    await expect(getKey({ kms: f.kms, caller: await holder(next.token) }, { keyId })).rejects.toMatchObject({
      code: 'FORBIDDEN',
    });
  });

  test('may be the one that makes the call, whatever it holds; no other one without the permission', async () => {
    const [own, other] = [await create(f.admin, { role: 'key_user' }), await create(f.admin, { role: 'key_user' })];
    const caller = await holder(own.token);
    const rotate = (tokenId: string, by = caller) => rotateApiToken({ kms: f.kms, caller: by }, { tokenId });
    await expect(rotate(other.tokenId)).rejects.toMatchObject({
      code: 'FORBIDDEN',
      details: { permission: 'kms:tokens:manage' },
    });
    const next = await rotate(own.tokenId);
    // The old secret, which may have been lost, gets nobody the new one.
    await expect(rotate(own.tokenId)).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(rotate(next.tokenId)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect((await rotate(next.tokenId, await holder(next.token))).replaces).toBe(next.tokenId);
  });

  test('is live: not one that was revoked, has expired or was rotated', async () => {
    const expiresAt = new Date(Date.now() + HOUR_MS);
    const [revoked, expired, rotated] = [
      await create(f.admin),
      await create(f.admin, { expiresAt }),
      await create(f.admin),
    ];
    await revokeApiToken({ kms: f.kms, caller: f.admin }, { tokenId: revoked.tokenId });
    await rotateApiToken({ kms: f.kms, caller: f.admin }, { tokenId: rotated.tokenId });
    f.advance(HOUR_MS);
    for (const { tokenId } of [revoked, expired, rotated])
      await expect(rotateApiToken({ kms: f.kms, caller: f.admin }, { tokenId })).rejects.toMatchObject({
        code: 'CONFLICT',
      });
    await expect(rotateApiToken({ kms: f.kms, caller: f.admin }, { tokenId: newId() })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });
});

describe('a token in its overlap', () => {
  const FORBIDDEN = { code: 'FORBIDDEN' };

  test.each(['that read it before its rotation', 'that reads it now'])(
    'makes nothing that lasts longer than the overlap, on a node %s',
    async (node) => {
      const first = await create(f.admin);
      const before = await holder(first.token);
      const old = await create(before);
      const { kms } = f;
      const second = await rotateApiToken({ kms, caller: before }, { tokenId: first.tokenId, overlapSeconds: 60 });
      const caller = node === 'that reads it now' ? await holder(first.token) : before;
      const { overlapEndsAt } = await getApiToken({ kms, caller: f.admin }, { tokenId: first.tokenId });
      const beyond = new Date(Date.parse(overlapEndsAt ?? '') + 1);

      const child = await create(caller, { expiresAt: null });
      expect(child.expiresAt).toBe(overlapEndsAt);
      const binding = await createIdentityBinding({ kms, caller }, { ...BINDING, expiresAt: null });
      expect(binding.expiresAt).toBe(overlapEndsAt);
      await expect(create(caller, { expiresAt: beyond })).rejects.toMatchObject(FORBIDDEN);
      const longer = createIdentityBinding({ kms, caller }, { ...BINDING, expiresAt: beyond });
      await expect(longer).rejects.toMatchObject(FORBIDDEN);
      // Neither what replaced it, nor what it created while it had no end.
      for (const { tokenId } of [second, old])
        await expect(rotateApiToken({ kms, caller }, { tokenId, overlapSeconds: 0 })).rejects.toMatchObject(FORBIDDEN);

      f.advance(60_000);
      for (const { token } of [first, child]) await expect(identify(token)).rejects.toMatchObject(UNAUTHORIZED);
      for (const { token } of [second, old]) await identify(token);
    },
  );

  test('ends its own secret alone: of its identity it rotates no other one, and neither does that one it', async () => {
    const first = await create(f.admin);
    const { kms } = f;
    const second = await rotateApiToken({ kms, caller: await holder(first.token) }, { tokenId: first.tokenId });
    const by = async ({ token }: { readonly token: string }, { tokenId }: { readonly tokenId: string }) =>
      rotateApiToken({ kms, caller: await holder(token) }, { tokenId });
    await expect(by(first, second)).rejects.toMatchObject(FORBIDDEN);
    await expect(by(second, first)).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await by(second, second)).toMatchObject({ replaces: second.tokenId });
  });
});

describe('a stolen token', () => {
  const rotate = (caller: Caller, tokenId: string) => rotateApiToken({ kms: f.kms, caller }, { tokenId });

  test('gets the secrets of what it created alone, so its cascade ends all that came of it', async () => {
    const top = await create(f.admin);
    const stolen = await create(await holder(top.token));
    const thief = await holder(stolen.token);
    const [beside, sister] = [await create(f.admin), await create(await holder(top.token))];
    const child = await create(thief);
    const grandchild = await create(await holder(child.token));
    for (const { tokenId } of [top, beside, sister])
      await expect(rotate(thief, tokenId)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    const own = await rotate(thief, stolen.tokenId);
    const caller = await holder(own.token);
    const gained = [await rotate(caller, child.tokenId), await rotate(caller, grandchild.tokenId)];
    gained.push(await rotate(caller, gained[1]?.tokenId ?? ''));

    const cascade = { tokenId: stolen.tokenId, cascade: true };
    expect(await revokeApiToken({ kms: f.kms, caller: f.admin }, cascade)).toEqual({ revoked: 7, more: false });
    for (const { token } of [stolen, own, child, grandchild, ...gained])
      await expect(identify(token)).rejects.toMatchObject(UNAUTHORIZED);
    for (const { token } of [top, beside, sister]) await identify(token);
  });

  test('rotates none and makes no binding once it was revoked, also where a node has yet to hear of it', async () => {
    const stolen = await create(f.admin);
    const caller = await holder(stolen.token);
    const child = await create(caller);
    await revokeApiToken({ kms: f.kms, caller: f.admin }, { tokenId: stolen.tokenId });
    await expect(rotate(caller, child.tokenId)).rejects.toMatchObject(UNAUTHORIZED);
    await expect(createIdentityBinding({ kms: f.kms, caller }, BINDING)).rejects.toMatchObject(UNAUTHORIZED);
  });

  test('is no limit to the platform and to callers who hold no token: they rotate any of the tenant', async () => {
    const { token } = await create(f.admin);
    const platform = { ...(await identify(token)), tenantId: null, subject: newId(), tokenId: newId() };
    for (const caller of [f.admin, callerOf(platform, f.tenantId, null)]) {
      const other = await create(await holder(token));
      expect(await rotate(caller, other.tokenId)).toMatchObject({ replaces: other.tokenId });
    }
  });
});

test('a repeated creation or rotation never shows a token again', async () => {
  const once = (key: string): IdempotencyRequest => ({ key, fingerprint: Buffer.alloc(32, key) });
  const { kms, admin: caller } = f;
  const { tokenId } = await create(caller);
  const calls = [
    () => createApiToken({ kms, caller, idempotency: once('create') }, { name: 'once', role: 'auditor' }),
    () => rotateApiToken({ kms, caller, idempotency: once('rotate') }, { tokenId }),
  ];
  for (const call of calls) {
    const made = await call();
    await expect(call()).rejects.toMatchObject({ code: 'CONFLICT', details: { tokenId: made.tokenId } });
    await expect(call()).rejects.not.toThrow(made.token);
  }
  expect((await listApiTokens({ kms, caller }, {})).items).toHaveLength(3);
});

describe('a revocation of a lineage', () => {
  const revoke = (tokenId: string, caller: Caller = f.admin) =>
    revokeApiToken({ kms: f.kms, caller }, { tokenId, cascade: true });

  test('ends what a token created, level by level, and what replaced any of them', async () => {
    const top = await create(f.admin);
    const child = await create(await holder(top.token));
    const next = await rotateApiToken({ kms: f.kms, caller: f.admin }, { tokenId: child.tokenId });
    const grandchild = await create(await holder(next.token));
    const beside = await create(f.admin);
    const lineage = [top, child, next, grandchild];
    for (const { token } of [...lineage, beside]) await identify(token);
    expect(await revoke(top.tokenId)).toEqual({ revoked: 4, more: false });
    for (const { token } of lineage) await expect(identify(token)).rejects.toMatchObject(UNAUTHORIZED);
    expect((await identify(beside.token)).tokenId).toBe(beside.tokenId);
    expect(await revoke(top.tokenId)).toEqual({ revoked: 0, more: false });
  });

  test('finds all of it by each token of one identity, and what lies below one that ended', async () => {
    const top = await create(f.admin);
    const child = await create(await holder(top.token));
    const next = await rotateApiToken({ kms: f.kms, caller: f.admin }, { tokenId: top.tokenId });
    const late = await create(await holder(next.token));
    await revokeApiToken({ kms: f.kms, caller: f.admin }, { tokenId: next.tokenId });
    expect((await identify(child.token)).tokenId).toBe(child.tokenId);
    expect(await revoke(next.tokenId)).toEqual({ revoked: 3, more: false });
    for (const { token } of [top, child, late]) await expect(identify(token)).rejects.toMatchObject(UNAUTHORIZED);
  });

  test('leaves no token to a creator that ends at the same time', async () => {
    const top = await create(f.admin);
    const caller = await holder(top.token);
    const outcomes = await Promise.allSettled([
      ...Array.from({ length: 5 }, () => create(caller)),
      revoke(top.tokenId),
      ...Array.from({ length: 5 }, () => create(caller)),
    ]);
    expect(outcomes.some(({ status }) => status === 'rejected')).toBe(true);
    const { items } = await listApiTokens({ kms: f.kms, caller: f.admin }, { limit: 200 });
    expect(items.filter(({ revokedAt }) => revokedAt === null)).toEqual([]);
  });

  test('passes over what ended by itself, however often a token was rotated', async () => {
    const { kms, admin: caller } = f;
    const top = await create(caller);
    let last = await create(await holder(top.token), { role: 'auditor' });
    for (let count = 0; count < 1004; count += 1)
      last = await rotateApiToken({ kms, caller }, { tokenId: last.tokenId, overlapSeconds: 0 });
    const below = await create(await holder(top.token));
    expect(await revoke(top.tokenId)).toEqual({ revoked: 3, more: false });
    for (const { token } of [top, last, below]) await expect(identify(token)).rejects.toMatchObject(UNAUTHORIZED);
  });

  test('ends what somebody wrote into the database without making it authentic, and nothing that it names', async () => {
    const { kms, admin: caller } = f;
    const [top, other] = [await create(caller), await create(caller)];
    const fields = { parentTokenId: top.tokenId };
    const forged = [
      { fields },
      { fields: { ...fields, '!identity': other.tokenId } },
      { fields: { '!identity': top.tokenId }, mac: sampleMac({ tmkVersion: 99 }) },
      { fields, mac: null },
    ].map((change) => sampleToken(f.tenantId, change));
    await asTenant(f.store, f.tenantId, async (unit) => {
      for (const token of forged) await unit.tokens.insert(token);
    });
    expect(await revoke(top.tokenId)).toEqual({ revoked: 4, more: false });
    expect((await identify(other.token)).tokenId).toBe(other.tokenId);
    const { items, warnings } = await listApiTokens({ kms, caller }, {});
    expect(items.map(({ tokenId }) => tokenId).sort()).toEqual([top.tokenId, other.tokenId].sort());
    expect(warnings).toHaveLength(forged.length);
  });

  test('ends a bounded number at a time, and says that there are more', async () => {
    const top = await create(f.admin);
    const caller = await holder(top.token);
    for (let count = 0; count < 1004; count += 1) await create(caller, { role: 'auditor' });
    expect(await revoke(top.tokenId)).toEqual({ revoked: 1000, more: true });
    expect(await revoke(top.tokenId)).toEqual({ revoked: 5, more: false });
  });
});

describe('what is known of a token', () => {
  test('says who created it, with which token, and what for', async () => {
    const top = await create(f.admin, { purpose: 'makes tokens' });
    expect(top).toMatchObject({ creator: f.admin.subject, parentTokenId: null, purpose: 'makes tokens' });
    const child = await create(await holder(top.token));
    expect(child).toMatchObject({ creator: top.tokenId, parentTokenId: top.tokenId, purpose: null });
    const { token: _, ...shown } = child;
    expect(await getApiToken({ kms: f.kms, caller: f.admin }, { tokenId: child.tokenId })).toEqual(shown);
    const user = await create(f.admin, { role: 'key_user' });
    const own = await getOwnApiToken({ kms: f.kms, caller: await holder(user.token) });
    expect(own.tokenId).toBe(user.tokenId);
    await expect(getOwnApiToken({ kms: f.kms, caller: someCaller(f.tenantId, 'key_user') })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  test('has the hour of its last use once that was written down, and no read or write before', async () => {
    const used = await create(f.admin);
    const unused = await create(f.admin);
    const lastUse = async () =>
      (await getApiToken({ kms: f.kms, caller: f.admin }, { tokenId: used.tokenId })).lastUsedAt;
    await identify(used.token);
    expect(await lastUse()).toBeNull();
    await f.kms.tokens.uses.flush(f.store);
    const hour = Math.floor(f.kms.clock() / HOUR_MS) * HOUR_MS;
    expect(await lastUse()).toBe(new Date(hour).toISOString());
    f.advance(HOUR_MS);
    await identify(used.token);
    await f.kms.tokens.uses.flush(f.store);
    expect(await lastUse()).toBe(new Date(hour + HOUR_MS).toISOString());
    const { items } = await listApiTokens({ kms: f.kms, caller: f.admin }, {});
    expect(items.find(({ tokenId }) => tokenId === used.tokenId)?.lastUsedAt).toBe(await lastUse());
    expect(items.find(({ tokenId }) => tokenId === unused.tokenId)?.lastUsedAt).toBeNull();
  });

  test('keeps a use for the next time when it cannot be written', async () => {
    const used = await create(f.admin);
    await identify(used.token);
    const { uses } = f.kms.tokens;
    const failing = { transact: () => Promise.reject(new KmsError('STORE_UNAVAILABLE', 'away')) };
    await expect(uses.flush(failing)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    await uses.flush(f.store);
    expect((await getApiToken({ kms: f.kms, caller: f.admin }, { tokenId: used.tokenId })).lastUsedAt).not.toBeNull();
  });

  test('is not in the permissions: a role holds what it holds', async () => {
    const { token } = await create(f.admin, { role: 'auditor', keys: [newId()] });
    expect((await identify(token)).permissions).toEqual(effectivePermissions('auditor', []));
  });
});
