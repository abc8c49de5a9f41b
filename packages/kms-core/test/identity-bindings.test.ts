import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  type AuditEvent,
  BOUNDS,
  type Caller,
  callerOf as callerFor,
  createApiToken,
  createIdentityBinding,
  createKey,
  decrypt,
  deleteIdentityBinding,
  denyIdentity,
  encrypt,
  getIdentityBinding,
  getKey,
  IdentityAuthority,
  IdentityRing,
  type Kms,
  KmsError,
  liftIdentityDenial,
  listIdentityBindings,
  listIdentityDenials,
  newId,
  type Operation,
  OperationEvidence,
  type ProvenClaims,
  resolveIdentity,
  shredTenant,
  SILENT_FEED,
  withEvidence,
} from '../src/exports/internal.ts';
import { foundByMatch, matches, namesOf } from '../src/access/found-by.ts';
import { notAuthorized } from '../src/access/refused-credential.ts';
import { MapCache } from '../src/testing/map-cache.ts';
import { addTenant, callerOf, type Fixture, makeFixture, promised } from './kms-fixture.ts';
import { BINDING, ISSUER, proven } from './identity-samples.ts';

let f: Fixture;
let admin: Operation;
beforeEach(async () => {
  f = await makeFixture();
  admin = { kms: f.kms, caller: f.admin };
});

const resolve = (claims: ProvenClaims, named?: string, kms: Kms = f.kms) =>
  promised(() => resolveIdentity(kms, claims, named));
/** What the bearer of claims is refused with. */
const refusalOf = (...args: Parameters<typeof resolve>): Promise<unknown> =>
  resolve(...args).then(
    () => undefined,
    (error: unknown) => error,
  );
const callerOfClaims = async (claims: ProvenClaims): Promise<Caller> =>
  callerFor(await resolve(claims), f.tenantId, '127.0.0.1');
/** Another tenant, and who administers it. */
async function otherTenant(): Promise<Operation> {
  const tenantId = newId();
  await addTenant(f.kms, tenantId);
  return { kms: f.kms, caller: callerOf(tenantId, 'tenant_admin') };
}

describe('a binding', () => {
  test('lets those in whose claims match all that it asks for, as its role, and nobody else', async () => {
    await createIdentityBinding(admin, { ...BINDING, match: { ...BINDING.match, groups: 'writers', env: '*' } });
    const claims = { groups: ['readers', 'writers'], env: 'production' };
    const caller = await callerOfClaims(proven(claims));
    expect(caller).toMatchObject({ tenantId: f.tenantId, subject: `${ISSUER}#system:serviceaccount:orders:api` });
    const { keyId } = await createKey(admin, {});
    const { ciphertext } = await encrypt({ kms: f.kms, caller }, { keyId, plaintext: Buffer.from('data') });
    expect(Buffer.from((await decrypt({ kms: f.kms, caller }, { ciphertext })).plaintext).toString()).toBe('data');
    await expect(createKey({ kms: f.kms, caller }, {})).rejects.toMatchObject({ code: 'FORBIDDEN' });
    const others = [
      proven({ ...claims, sub: 'system:serviceaccount:order' }),
      proven({ ...claims, sub: 'system:serviceaccount:billing:api' }),
      proven({ ...claims, groups: ['readers'] }),
      proven({ ...claims, groups: 'writers2' }),
      proven({ groups: 'writers' }),
      proven(claims, { issuer: 'https://issuer.example.org' }),
      proven(claims, { issuer: 'https://other.example' }),
    ];
    for (const claimsOfOther of others)
      await expect(resolve(claimsOfOther)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  });

  test('lets nobody in after their credential or the binding itself has ended', async () => {
    await createIdentityBinding(admin, { ...BINDING, expiresAt: new Date(f.kms.clock() + 60_000) });
    const claims = proven({}, { expiresAt: f.kms.clock() + 30_000 });
    const longer = proven();
    await resolve(claims);
    await resolve(longer);
    f.advance(31_000);
    await expect(resolve(claims)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    await resolve(longer);
    f.advance(30_000);
    await expect(resolve(longer)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    await expect(resolve(proven())).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  });

  test('gives nobody anything that outlasts it, however long their credential lives', async () => {
    const ends = new Date(f.kms.clock() + 60_000);
    await createIdentityBinding(admin, { ...BINDING, role: 'tenant_admin', expiresAt: ends });
    const identity = await resolve(proven({}, { expiresAt: f.kms.clock() + 365 * 24 * 60 * 60 * 1000 }));
    expect(identity.expiresAt).toEqual(ends);
    const op = { kms: f.kms, caller: callerFor(identity, f.tenantId, null) };
    const later = new Date(ends.getTime() + 1);
    const { expiresAt } = await createIdentityBinding(op, { ...BINDING, match: { sub: 'another' } });
    expect(expiresAt).toBe(ends.toISOString());
    expect(await createApiToken(op, { name: 'made', role: 'key_user' })).toMatchObject({
      expiresAt: ends.toISOString(),
    });
    await expect(createIdentityBinding(op, { ...BINDING, expiresAt: later })).rejects.toMatchObject({
      code: 'FORBIDDEN',
    });
    await expect(createApiToken(op, { name: 'later', role: 'key_user', expiresAt: later })).rejects.toMatchObject({
      code: 'FORBIDDEN',
    });
  });

  test('gives nobody more than its creator has, and nothing of the platform', async () => {
    const some = callerOf(f.tenantId, null, ['kms:identity-bindings:manage', 'kms:encrypt']);
    const creator = { kms: f.kms, caller: some };
    await createIdentityBinding(creator, { ...BINDING, role: null, permissions: ['kms:encrypt'] });
    for (const wanted of [{ role: 'key_user' as const }, { role: null, permissions: ['kms:decrypt' as const] }])
      await expect(createIdentityBinding(creator, { ...BINDING, ...wanted })).rejects.toMatchObject({
        code: 'FORBIDDEN',
        details: { permission: expect.stringMatching(/^kms:/) },
      });
    const platform = { kms: f.kms, caller: callerOf(f.tenantId, 'platform_admin') };
    for (const wanted of [{ role: 'platform_admin' as const }, { permissions: ['kms:tenants:manage' as const] }])
      await expect(createIdentityBinding(platform, { ...BINDING, ...wanted })).rejects.toMatchObject({
        code: 'BAD_REQUEST',
      });
  });

  test('reaches no further than the credential that makes it', async () => {
    const expiresAt = new Date(f.kms.clock() + 60_000);
    const identity = { ...(f.admin as Omit<Caller, 'keys'>), credential: 'api-token', keys: null } as const;
    const made = (change: object): Operation => ({
      ...admin,
      caller: { ...f.admin, credential: { ...identity, ...change } },
    });
    expect(await createIdentityBinding(made({ expiresAt }), BINDING)).toMatchObject({
      expiresAt: expiresAt.toISOString(),
    });
    const later = { ...BINDING, expiresAt: new Date(expiresAt.getTime() + 1) };
    for (const [op, input] of [
      [made({ expiresAt }), later],
      [made({ rate: 1 }), BINDING],
    ] as const)
      await expect(createIdentityBinding(op, input)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect((await resolve(proven())).expiresAt).toBeInstanceOf(Date);
  });

  test('that is for some keys gives nothing that reaches beyond them', async () => {
    const keyId = newId();
    await expect(
      createIdentityBinding(admin, { ...BINDING, keys: [keyId], permissions: ['kms:tokens:manage'] }),
    ).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    await createIdentityBinding(admin, { ...BINDING, role: 'tenant_admin', keys: [keyId] });
    const identity = await resolve(proven());
    expect(identity.keys).toEqual(new Set([keyId]));
    expect(identity.permissions.has('kms:tokens:manage')).toBe(false);
    expect(identity.permissions.has('kms:encrypt')).toBe(true);
  });

  test('is shown, listed in pages, and gone once it is deleted', async () => {
    const made = [];
    for (let index = 0; index < 5; index += 1) made.push(await createIdentityBinding(admin, BINDING));
    const [first] = made;
    const bindingId = first?.bindingId ?? '';
    expect(await getIdentityBinding(admin, { bindingId })).toEqual(first);
    const listed: string[] = [];
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page = await listIdentityBindings(admin, { limit: 2, ...(cursor === undefined ? {} : { cursor }) });
      listed.push(...page.items.map((item) => item.bindingId));
      cursor = page.nextCursor;
    }
    expect(listed.toSorted()).toEqual(made.map((item) => item.bindingId).toSorted());
    await deleteIdentityBinding(admin, { bindingId });
    expect((await listIdentityBindings(admin, {})).items).toHaveLength(4);
    for (const attempt of [getIdentityBinding(admin, { bindingId }), deleteIdentityBinding(admin, { bindingId })])
      await expect(attempt).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const other = await otherTenant();
    const [second] = (await listIdentityBindings(admin, {})).items;
    await expect(getIdentityBinding(other, { bindingId: second?.bindingId ?? '' })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  test('is one of at most 1,000 of a tenant', async () => {
    const { bindings } = BOUNDS.identity;
    const authority = new IdentityAuthority(await f.kms.hierarchy.masterKeys(f.tenantId));
    await f.store.transact({ kind: 'tenant', tenantId: f.tenantId }, async (unit) => {
      for (let index = 0; index < bindings - 1; index += 1)
        await unit.identities.insert(
          authority.signBinding({
            bindingId: newId(),
            tenantId: f.tenantId,
            issuer: ISSUER,
            match: { sub: `${index}` },
            foundBy: foundByMatch(ISSUER, { sub: `${index}` }),
            role: 'auditor',
            permissions: [],
            keys: null,
            createdAt: unit.now,
            createdBy: 'test',
            expiresAt: null,
            removedAt: null,
            fields: {},
          }),
        );
    });
    const { bindingId } = await createIdentityBinding(admin, BINDING);
    await expect(createIdentityBinding(admin, BINDING)).rejects.toMatchObject({
      code: 'QUOTA_EXCEEDED',
      details: { limit: 'identityBindings', maximum: bindings, used: bindings },
    });
    await deleteIdentityBinding(admin, { bindingId });
    await createIdentityBinding(admin, BINDING);
  });

  test('is found whatever it asks for: by what it is found by, or it does not match', () => {
    const text = fc.oneof(
      fc.string({ minLength: 1, maxLength: 12 }),
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 700 }),
    );
    const value = text.filter((each) => each.isWellFormed() && !each.includes('*'));
    const pattern = fc.tuple(value, fc.nat()).map(([whole, end]) => [whole, end % (whole.length + 1)] as const);
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom('sub', 'name', 'groups'), pattern, { minKeys: 1 }),
        fc.func(fc.boolean()),
        (wanted, isWhole) => {
          const match = Object.fromEntries(
            Object.entries(wanted).map(([claim, [whole, end]]) => [
              claim,
              isWhole(claim) ? whole : `${whole.slice(0, end)}*`,
            ]),
          );
          fc.pre(Object.values(match).some((each) => each !== '*'));
          fc.pre(Object.values(match).every((each) => each.isWellFormed()));
          const claims = proven(
            Object.fromEntries(Object.entries(wanted).map(([claim, [whole]]) => [claim, ['other', whole]])),
          );
          expect(matches(match, claims.claims)).toBe(true);
          const foundBy = foundByMatch(ISSUER, match);
          expect(namesOf(claims).bindings.some((name) => name.equals(foundBy))).toBe(true);
        },
      ),
    );
  });
});

describe('several bindings', () => {
  test('of one tenant give what any of them gives, each permission with its own keys only', async () => {
    const [own, shared] = [(await createKey(admin, {})).keyId, (await createKey(admin, {})).keyId];
    await createIdentityBinding(admin, { ...BINDING, keys: [own] });
    await createIdentityBinding(admin, { ...BINDING, role: 'auditor' });
    await createIdentityBinding(admin, { ...BINDING, role: null, permissions: ['kms:encrypt'], keys: [shared] });
    const caller = await callerOfClaims(proven());
    const as = { kms: f.kms, caller };
    const plaintext = Buffer.from('data');
    const { ciphertext } = await encrypt(as, { keyId: own, plaintext });
    await decrypt(as, { ciphertext });
    await getKey(as, { keyId: shared });
    const sealed = await encrypt(as, { keyId: shared, plaintext });
    await expect(promised(() => decrypt(as, sealed))).rejects.toMatchObject({ code: 'FORBIDDEN' });
    const { keyId } = await createKey(admin, {});
    await getKey(as, { keyId });
    await expect(promised(() => encrypt(as, { keyId, plaintext }))).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  test('that are all for some keys give with every key only what each of them gives', async () => {
    const [own, shared] = [(await createKey(admin, {})).keyId, (await createKey(admin, {})).keyId];
    await createIdentityBinding(admin, { ...BINDING, keys: [own] });
    await createIdentityBinding(admin, { ...BINDING, role: null, permissions: ['kms:encrypt'], keys: [shared] });
    const caller = await callerOfClaims(proven());
    expect(caller.permissions).toEqual(new Set(['kms:encrypt']));
    const as = { kms: f.kms, caller };
    const { ciphertext } = await encrypt(as, { keyId: own, plaintext: Buffer.from('data') });
    await decrypt(as, { ciphertext });
    const sealed = await encrypt(as, { keyId: shared, plaintext: Buffer.from('data') });
    await expect(promised(() => decrypt(as, sealed))).rejects.toMatchObject({ code: 'FORBIDDEN' });
    const { keyId } = await createKey(admin, {});
    await expect(promised(() => getKey(as, { keyId }))).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  test('of several tenants need the call to name one, and give nothing of another one', async () => {
    const other = await otherTenant();
    const third = await otherTenant();
    await createIdentityBinding(admin, BINDING);
    await createIdentityBinding(other, { ...BINDING, role: 'auditor' });
    const claims = proven();
    await expect(resolve(claims)).rejects.toMatchObject({ code: 'TENANT_MISMATCH' });
    expect(await resolve(claims, f.tenantId.toUpperCase())).toMatchObject({ tenantId: f.tenantId });
    const ofOther = await resolve(claims, other.caller.tenantId);
    expect(ofOther).toMatchObject({ tenantId: other.caller.tenantId });
    expect(ofOther.permissions.has('kms:encrypt')).toBe(false);
    for (const named of [third.caller.tenantId, newId()])
      await expect(resolve(claims, named)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    await expect(resolve(claims, 'not a tenant')).rejects.toMatchObject({ code: 'TENANT_MISMATCH' });
  });
});

describe('what changes counts at once, though somebody is held', () => {
  test('a binding that was added and one that was deleted', async () => {
    const first = await createIdentityBinding(admin, { ...BINDING, role: 'auditor' });
    const claims = proven();
    expect((await resolve(claims)).permissions.has('kms:encrypt')).toBe(false);
    const second = await createIdentityBinding(admin, { ...BINDING, match: { sub: 'system:*' } });
    expect((await resolve(claims)).permissions.has('kms:encrypt')).toBe(true);
    await deleteIdentityBinding(admin, second);
    expect((await resolve(claims)).permissions.has('kms:encrypt')).toBe(false);
    await deleteIdentityBinding(admin, first);
    await expect(resolve(claims)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  });

  test('a binding that was deleted: whose tenant is told of the refusal, also where nothing was held', async () => {
    const { bindingId } = await createIdentityBinding(admin, BINDING);
    const [held, named] = [proven(), proven()];
    await resolve(held);
    await resolve(named, f.tenantId);
    await deleteIdentityBinding(admin, { bindingId });
    const known = {
      code: 'UNAUTHORIZED',
      tenantId: f.tenantId,
      subject: `${ISSUER}#${held.subject}`,
      refusedFor: 'binding-removed',
    };
    for (const claims of [held, proven()]) await expect(resolve(claims)).rejects.toMatchObject(known);
    for (const claims of [named, proven()]) await expect(resolve(claims, f.tenantId)).rejects.toMatchObject(known);
    const stranger = await refusalOf(proven({ sub: 'system:serviceaccount:billing:api' }));
    expect(stranger).toMatchObject({ code: 'UNAUTHORIZED' });
    expect(stranger).not.toHaveProperty('tenantId');
    expect(await refusalOf(held)).toHaveProperty('message', notAuthorized().message);
    expect(stranger).toHaveProperty('message', notAuthorized().message);
    await createIdentityBinding(admin, BINDING);
    for (const claims of [held, proven()]) expect(await resolve(claims)).toMatchObject({ tenantId: f.tenantId });
  });

  test('a binding that was deleted: of refusals its tenant is told for 90 days', async () => {
    await deleteIdentityBinding(admin, await createIdentityBinding(admin, BINDING));
    const days = 24 * 60 * 60 * 1000;
    f.advance(89 * days);
    expect(await refusalOf(proven())).toMatchObject({ tenantId: f.tenantId, refusedFor: 'binding-removed' });
    f.advance(2 * days);
    const later = await refusalOf(proven());
    expect(later).toMatchObject({ code: 'UNAUTHORIZED' });
    expect(later).not.toHaveProperty('tenantId');
  });

  test('a binding that was deleted: one tenant that deletes a thousand for the same claim does not hide it', async () => {
    await deleteIdentityBinding(admin, await createIdentityBinding(admin, BINDING));
    f.advance(1);
    const hostile = await otherTenant();
    const { bindingId } = await createIdentityBinding(hostile, BINDING);
    const { tenantId } = hostile.caller;
    await f.store.transact({ kind: 'tenant', tenantId }, async (unit) => {
      const binding = await unit.identities.get(bindingId);
      if (binding === undefined) throw new Error('there is no binding');
      for (let count = 0; count < BOUNDS.identity.bindings; count += 1)
        await unit.identities.insert({ ...binding, bindingId: newId(), removedAt: unit.now });
    });
    await deleteIdentityBinding(hostile, { bindingId });
    expect(await refusalOf(proven())).toMatchObject({ tenantId: f.tenantId, refusedFor: 'binding-removed' });
  });

  test('bindings that were deleted: a tenant that was shredded costs one look, however many it had, and hides no other', async () => {
    const shredded = await otherTenant();
    for (let count = 0; count < 20; count += 1)
      await deleteIdentityBinding(shredded, await createIdentityBinding(shredded, BINDING));
    f.advance(1);
    await deleteIdentityBinding(admin, await createIdentityBinding(admin, BINDING));
    const { tenantId } = shredded.caller;
    await shredTenant(shredded, { tenantId, confirmation: `SHRED-${tenantId}`, reason: 'test' });
    const looks: string[] = [];
    const hierarchy = new Proxy(f.kms.hierarchy, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => {
          if (name === 'masterKeys') looks.push(String(args[0]));
          const result: unknown = Reflect.apply(value, target, args);
          return result;
        };
      },
    });
    const identities = new IdentityRing(f.store, hierarchy, { feed: f.store.changes }, f.kms.clock);
    expect(await refusalOf(proven(), undefined, { ...f.kms, identities })).toMatchObject({ tenantId: f.tenantId });
    expect(looks).toEqual([tenantId, f.tenantId]);
  });

  test('a binding that was deleted: no other tenant is told that binds the same later, and none that is not named', async () => {
    const other = await otherTenant();
    const deleted = async (op: Operation) => deleteIdentityBinding(op, await createIdentityBinding(op, BINDING));
    await deleted(admin);
    f.advance(1);
    await deleted(other);
    expect(await refusalOf(proven())).toMatchObject({ tenantId: f.tenantId });
    const { tenantId } = other.caller;
    expect(await refusalOf(proven(), tenantId)).toMatchObject({ tenantId });
    const third = await refusalOf(proven(), (await otherTenant()).caller.tenantId);
    expect(third).toMatchObject({ code: 'UNAUTHORIZED' });
    expect(third).not.toHaveProperty('tenantId');
    // Who is let in somewhere is refused nowhere.
    await createIdentityBinding(other, BINDING);
    expect(await resolve(proven())).toMatchObject({ tenantId });
  });

  test('a binding of another tenant: who was let in without naming one has to name it', async () => {
    const other = await otherTenant();
    await createIdentityBinding(admin, BINDING);
    const claims = proven();
    await resolve(claims);
    await createIdentityBinding(other, BINDING);
    await expect(resolve(claims)).rejects.toMatchObject({ code: 'TENANT_MISMATCH' });
  });

  test('a denial of a subject, for credentials that were issued before and for its tenant alone', async () => {
    const other = await otherTenant();
    await createIdentityBinding(admin, BINDING);
    await createIdentityBinding(other, BINDING);
    const claims = proven({}, { issuedAt: Date.now() - 1000 });
    await resolve(claims, f.tenantId);
    await denyIdentity(admin, { issuer: ISSUER, sub: claims.subject });
    await expect(resolve(claims, f.tenantId)).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      subject: `${ISSUER}#${claims.subject}`,
      tenantId: f.tenantId,
    });
    expect(await resolve(claims)).toMatchObject({ tenantId: other.caller.tenantId });
    await resolve(proven({ sub: 'system:serviceaccount:orders:other' }, { issuedAt: Date.now() - 1000 }), f.tenantId);
    await resolve(proven({}, { issuedAt: Date.now() + 1000 }), f.tenantId);
  });

  test('of one credential holds though the clock of its issuer is ahead', async () => {
    await createIdentityBinding(admin, BINDING);
    const ahead = proven({}, { issuedAt: Date.now() + 20_000 });
    await resolve(ahead);
    await denyIdentity(admin, { issuer: ISSUER, jti: ahead.credentialId ?? '' });
    await expect(resolve(ahead)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    await resolve(proven({}, { issuedAt: Date.now() + 20_000 }));
  });

  test('a denial of one credential by its id', async () => {
    await createIdentityBinding(admin, BINDING);
    const [claims, second] = [proven({}, { issuedAt: Date.now() - 1 }), proven({}, { issuedAt: Date.now() - 1 })];
    await resolve(claims);
    await denyIdentity(admin, { issuer: ISSUER, jti: claims.credentialId ?? '' });
    await expect(resolve(claims)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    await resolve(second);
  });

  test('on another node, which only the change feed tells', async () => {
    const identities = new IdentityRing(
      f.store,
      f.kms.hierarchy,
      { feed: f.store.changes, memory: new MapCache() },
      f.kms.clock,
    );
    const other = { ...f.kms, identities };
    const first = await createIdentityBinding(admin, { ...BINDING, role: 'auditor' });
    const claims = proven({}, { issuedAt: Date.now() - 1000 });
    const mayEncrypt = async () => (await resolve(claims, undefined, other)).permissions.has('kms:encrypt');
    expect(await mayEncrypt()).toBe(false);
    await createIdentityBinding(admin, BINDING);
    expect(await mayEncrypt()).toBe(true);
    await deleteIdentityBinding(admin, first);
    await denyIdentity(admin, { issuer: ISSUER, sub: claims.subject });
    await expect(mayEncrypt()).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  });

  test('a denial that is lifted, here and on another node', async () => {
    const feed = f.store.changes;
    const identities = new IdentityRing(f.store, f.kms.hierarchy, { feed, memory: new MapCache() }, f.kms.clock);
    const other = { ...f.kms, identities };
    await createIdentityBinding(admin, BINDING);
    const claims = proven({}, { issuedAt: Date.now() - 1000 });
    const denial = await denyIdentity(admin, { issuer: ISSUER, sub: claims.subject });
    for (const kms of [f.kms, other])
      await expect(resolve(claims, undefined, kms)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    await liftIdentityDenial(admin, denial);
    for (const kms of [f.kms, other])
      expect(await resolve(claims, undefined, kms)).toMatchObject({ tenantId: f.tenantId });
  });

  test('the end of the tenant', async () => {
    await createIdentityBinding(admin, BINDING);
    const claims = proven();
    await resolve(claims);
    const { tenantId } = f;
    await shredTenant(admin, { tenantId, confirmation: `SHRED-${tenantId}`, reason: 'test' });
    await expect(resolve(claims)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    await expect(resolve(claims, tenantId)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  });
});

describe('who is held', () => {
  const ringOn = (feed: typeof SILENT_FEED) => {
    const memory = new MapCache<never>();
    const identities = new IdentityRing(f.store, f.kms.hierarchy, { feed, memory }, f.kms.clock);
    return { ...f.kms, identities };
  };

  test('is known without a promise, also who is nobody, for as long as the feed proves it and no longer', async () => {
    await createIdentityBinding(admin, BINDING);
    const [claims, nobody] = [proven(), proven({ sub: 'nobody' })];
    await resolve(claims);
    await expect(resolve(nobody)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    expect(resolveIdentity(f.kms, claims)).not.toBeInstanceOf(Promise);
    expect(() => resolveIdentity(f.kms, nobody)).toThrow(KmsError);
    const silent = ringOn(SILENT_FEED);
    await resolve(claims, undefined, silent);
    expect(resolveIdentity(silent, claims)).toBeInstanceOf(Promise);
  });

  test('stays held when bindings change that cannot be about them', async () => {
    await createIdentityBinding(admin, BINDING);
    const claims = proven();
    await resolve(claims);
    await createIdentityBinding(admin, { ...BINDING, match: { sub: 'system:serviceaccount:billing:*' } });
    await createIdentityBinding(admin, { ...BINDING, match: { sub: 'system:serviceaccount:orders:other' } });
    await denyIdentity(admin, { issuer: ISSUER, sub: 'somebody else' });
    expect(resolveIdentity(f.kms, claims)).not.toBeInstanceOf(Promise);
  });
});

describe('what somebody wrote into the database', () => {
  let alerts: string[];
  let kms: Kms;
  beforeEach(() => {
    alerts = [];
    const identities = new IdentityRing(
      f.store,
      f.kms.hierarchy,
      { feed: f.store.changes },
      f.kms.clock,
      ({ message }) => void alerts.push(message),
    );
    kms = { ...f.kms, identities, alert: ({ message }) => void alerts.push(message) };
  });

  test('as a binding lets nobody in, and keeps nobody out', async () => {
    await createIdentityBinding(admin, BINDING);
    const authority = new IdentityAuthority(await f.kms.hierarchy.masterKeys(f.tenantId));
    const base = {
      tenantId: f.tenantId,
      issuer: ISSUER,
      match: { sub: 'system:serviceaccount:orders:api' },
      foundBy: foundByMatch(ISSUER, { sub: 'system:serviceaccount:orders:api' }),
      role: 'auditor' as const,
      permissions: [],
      keys: [newId()],
      createdAt: new Date(),
      createdBy: 'test',
      expiresAt: new Date(Date.now() + 60_000),
      removedAt: null,
      fields: {},
    };
    const changes = [
      { role: 'tenant_admin' as const },
      { keys: null },
      { expiresAt: null },
      { permissions: ['kms:tokens:manage' as const] },
      { createdBy: 'another' },
      { fields: { more: 1 } },
    ];
    const forged: string[] = [];
    await f.store.transact({ kind: 'tenant', tenantId: f.tenantId }, async (unit) => {
      for (const change of changes) {
        const record = { ...authority.signBinding({ ...base, bindingId: newId() }), ...change };
        forged.push(record.bindingId);
        await unit.identities.insert(record);
      }
    });
    const identity = await resolve(proven(), undefined, kms);
    expect(identity.permissions).toEqual(
      (await resolve(proven({ sub: 'system:serviceaccount:orders:x' }))).permissions,
    );
    expect(identity.onKeys).toBeUndefined();
    for (const bindingId of forged) expect(alerts.join('\n')).toContain(bindingId);
    const { items, warnings } = await listIdentityBindings({ ...admin, kms }, {});
    expect(items).toHaveLength(1);
    expect(warnings).toHaveLength(forged.length);
    await expect(getIdentityBinding(admin, { bindingId: forged[0] ?? '' })).rejects.toMatchObject({
      code: 'INTERNAL_ERROR',
    });
    // Even so it can be deleted.
    for (const bindingId of forged) await deleteIdentityBinding(admin, { bindingId });
    expect((await listIdentityBindings(admin, {})).warnings).toBeUndefined();
  });

  test('as a binding that was deleted tells nobody of a refusal', async () => {
    const { bindingId } = await createIdentityBinding(admin, BINDING);
    await deleteIdentityBinding(admin, { bindingId });
    const scope = { kind: 'tenant', tenantId: f.tenantId } as const;
    const query = { names: namesOf(proven()).bindings, removedAfter: new Date(0), limit: 10, ofTenant: 10 };
    const [record] = await f.store.transact(scope, (unit) => unit.identities.findRemoved(query));
    if (record === undefined) throw new Error('The removed binding was not found.');
    // A row with other contents and the MAC of one that was deleted.
    const forged = { ...record, bindingId: newId(), createdAt: new Date(0), createdBy: 'nobody' };
    await f.store.transact(scope, (unit) => unit.identities.insert(forged));
    const other = proven();
    expect(await refusalOf(other, undefined, kms)).toMatchObject({ tenantId: f.tenantId });
    expect(alerts.join()).toContain(forged.bindingId);
    expect(alerts.join()).not.toContain(bindingId);
  });

  test('into a denial lets nobody in again', async () => {
    await createIdentityBinding(admin, BINDING);
    const claims = proven({}, { issuedAt: Date.now() - 1 });
    await denyIdentity(admin, { issuer: ISSUER, sub: claims.subject });
    const names = namesOf(claims);
    const scope = { kind: 'tenant', tenantId: f.tenantId } as const;
    const { denials } = await f.store.transact(scope, (unit) => unit.identities.find(names, 1));
    await f.store.transact(scope, async (unit) => {
      for (const denial of denials)
        await unit.identities.insertDenial({ ...denial, denialId: newId(), before: new Date(0) });
    });
    await expect(resolve(claims, undefined, kms)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    await expect(resolve(proven({}, { issuedAt: Date.now() + 9 }), undefined, kms)).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
    });
    expect(alerts.length).toBeGreaterThan(0);
  });

  test('lifts no denial, and does not keep the tenant from lifting one', async () => {
    await createIdentityBinding(admin, BINDING);
    const claims = proven({}, { issuedAt: Date.now() - 1000 });
    const { denialId } = await denyIdentity(admin, { issuer: ISSUER, sub: claims.subject });
    const lifted = await denyIdentity(admin, { issuer: ISSUER, jti: 'another' });
    await liftIdentityDenial(admin, lifted);
    await f.store.transact({ kind: 'tenant', tenantId: f.tenantId }, async (unit) => {
      const [denial, other] = [
        await unit.identities.getDenial(denialId),
        await unit.identities.getDenial(lifted.denialId),
      ];
      if (denial === undefined || other === undefined) throw new Error('the denials are gone');
      // What a lifted one has, moved to the one that is in force.
      await unit.identities.liftDenial({ ...denial, fields: other.fields, mac: other.mac });
    });
    await expect(resolve(claims, undefined, kms)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    expect(alerts.join('\n')).toContain(denialId);
    const { items, warnings } = await listIdentityDenials({ ...admin, kms }, {});
    expect(items.map((denial) => denial.denialId)).toEqual([lifted.denialId]);
    expect(warnings).toEqual([expect.stringContaining(denialId)]);
    expect(await liftIdentityDenial({ ...admin, kms }, { denialId })).toMatchObject({ denialId });
    expect(await resolve(claims, undefined, kms)).toMatchObject({ tenantId: f.tenantId });
    expect((await listIdentityDenials({ ...admin, kms }, {})).warnings).toBeUndefined();
  });
});

describe('denials', () => {
  test('are listed in pages, newest first, with those that were lifted', async () => {
    const made: string[] = [];
    for (const sub of ['a', 'b', 'c', 'd', 'e']) {
      made.unshift((await denyIdentity(admin, { issuer: ISSUER, sub })).denialId);
      f.advance(1);
    }
    const lifted = await liftIdentityDenial(admin, { denialId: made[1] ?? '' });
    expect(lifted).toMatchObject({ liftedAt: expect.any(String), liftedBy: f.admin.subject });
    const listed: Awaited<ReturnType<typeof denyIdentity>>[] = [];
    for (let cursor: string | undefined, more = true; more; ) {
      const page = await listIdentityDenials(admin, { limit: 2, ...(cursor === undefined ? {} : { cursor }) });
      listed.push(...page.items);
      cursor = page.nextCursor ?? undefined;
      more = cursor !== undefined;
    }
    expect(listed.map(({ denialId }) => denialId)).toEqual(made);
    expect(listed[1]).toEqual(lifted);
    expect(listed[0]).toMatchObject({ sub: 'e', jti: null, liftedAt: null, liftedBy: null });
    expect((await listIdentityDenials(await otherTenant(), {})).items).toEqual([]);
    const bindings = await listIdentityBindings(admin, { limit: 1 });
    expect(bindings.nextCursor).toBeNull();
    const { nextCursor } = await listIdentityDenials(admin, { limit: 1 });
    await expect(listIdentityBindings(admin, { cursor: nextCursor ?? '' })).rejects.toMatchObject({
      code: 'BAD_REQUEST',
    });
  });

  test('are lifted once, and one does not lift another', async () => {
    await createIdentityBinding(admin, BINDING);
    const claims = proven({}, { issuedAt: Date.now() - 1000 });
    const ofSubject = await denyIdentity(admin, { issuer: ISSUER, sub: claims.subject });
    const ofToken = await denyIdentity(admin, { issuer: ISSUER, jti: claims.credentialId ?? '' });
    const first = await liftIdentityDenial(admin, ofSubject);
    expect(await liftIdentityDenial(admin, ofSubject)).toEqual(first);
    await expect(resolve(claims)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    await liftIdentityDenial(admin, ofToken);
    await resolve(claims);
    for (const op of [admin, await otherTenant()])
      await expect(liftIdentityDenial(op, { denialId: newId() })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(liftIdentityDenial(await otherTenant(), ofToken)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await denyIdentity(admin, { issuer: ISSUER, sub: claims.subject });
    await expect(resolve(claims)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  });

  test('are lifted by nobody who has less than the bindings of the issuer give', async () => {
    const limited = {
      ...admin,
      caller: callerOf(f.tenantId, null, ['kms:identity-bindings:manage', 'kms:encrypt']),
    };
    const denial = await denyIdentity(limited, { issuer: ISSUER, sub: 'orders' });
    const own = { ...BINDING, role: null, permissions: ['kms:encrypt' as const] };
    await createIdentityBinding(limited, own);
    await createIdentityBinding(admin, { ...BINDING, issuer: 'https://other.example', role: 'tenant_admin' });
    const wider = await createIdentityBinding(admin, { ...BINDING, match: { sub: 'x' }, role: 'key_user' });
    await expect(liftIdentityDenial(limited, denial)).rejects.toMatchObject({
      code: 'FORBIDDEN',
      details: { permission: expect.stringMatching(/^kms:/) },
    });
    expect((await listIdentityDenials(admin, {})).items).toMatchObject([{ liftedAt: null }]);
    await deleteIdentityBinding(admin, wider);
    expect(await liftIdentityDenial(limited, denial)).toMatchObject({ liftedBy: limited.caller.subject });
  });

  test('are removed once all that they deny has expired, and are at most 1,000 until then', async () => {
    const { kms } = f;
    const shortLived: Operation = {
      ...admin,
      kms: { ...kms, settings: { ...kms.settings, credentialLifetimeSeconds: 60 } },
    };
    for (let index = 0; index < BOUNDS.identity.denials; index += 1)
      await denyIdentity(shortLived, { issuer: ISSUER, sub: `${index}` });
    await expect(denyIdentity(shortLived, { issuer: ISSUER, sub: 'more' })).rejects.toMatchObject({
      code: 'QUOTA_EXCEEDED',
      details: { limit: 'identityDenials', maximum: 1000, used: 1000 },
    });
    f.advance(60_000);
    await expect(denyIdentity(shortLived, { issuer: ISSUER, sub: 'more' })).rejects.toMatchObject({
      code: 'QUOTA_EXCEEDED',
    });
    f.advance((1 + BOUNDS.identity.aheadSeconds) * 1000);
    await denyIdentity(shortLived, { issuer: ISSUER, sub: 'more' });
    const { total } = await f.store.transact({ kind: 'tenant', tenantId: f.tenantId }, (unit) =>
      unit.seals.count(f.tenantId, 1),
    );
    expect(total).toBe(1);
  });
});

test('bindings and denials leave what they say in evidence', async () => {
  const trail = { requireRoom: () => undefined, record: async (_event: AuditEvent) => undefined };
  const run = async <T>(work: (op: Operation) => Promise<T>): Promise<T> => {
    const evidence = new OperationEvidence(trail, f.kms.clock, {
      tenantId: f.tenantId,
      actor: { type: 'service', id: f.admin.subject },
      context: { requestId: 'r-1', userAgent: null, source: 'api', ip: null },
      action: 'createIdentityBinding',
      eventType: 'kms.identity-binding.created',
    });
    return withEvidence(evidence, () => work({ ...admin, evidence }));
  };
  const { bindingId } = await run((op) => createIdentityBinding(op, BINDING));
  const { denialId } = await run((op) => denyIdentity(op, { issuer: ISSUER, sub: 'orders' }));
  await run((op) => liftIdentityDenial(op, { denialId }));
  await run((op) => deleteIdentityBinding(op, { bindingId }));
  expect(
    f.store
      .evidence()
      .map(({ eventType, resource, changes }) => ({ eventType, id: resource.id, after: changes?.after })),
  ).toEqual([
    {
      eventType: 'kms.identity-binding.created',
      id: bindingId,
      after: {
        issuer: ISSUER,
        match: '{"sub":"system:serviceaccount:orders:*"}',
        role: 'key_user',
        permissions: [],
        keys: null,
        expiresAt: null,
      },
    },
    {
      eventType: 'kms.identity.denied',
      id: denialId,
      after: { issuer: ISSUER, sub: 'orders', before: expect.any(String) },
    },
    {
      eventType: 'kms.identity-denial.lifted',
      id: denialId,
      after: { liftedAt: expect.any(String), issuer: ISSUER, sub: 'orders' },
    },
    { eventType: 'kms.identity-binding.deleted', id: bindingId, after: { removedAt: expect.any(String) } },
  ]);
});
