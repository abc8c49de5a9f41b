import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  apiTokenVerifier,
  type BoundIdentities,
  CERTIFICATE_ISSUER,
  callerOf as callerFor,
  certificateVerifier,
  createApiToken,
  createIdentityBinding,
  type CreateIdentityBindingInput,
  denyIdentity,
  getIdentityBinding,
  type Identity,
  IdentityRing,
  liftIdentityDenial,
  newId,
  type Operation,
  type PresentedCertificate,
  type ProvenClaims,
  resolveIdentity,
} from '../src/exports/internal.ts';
import { notAuthorized } from '../src/access/refused-credential.ts';
import { runOnce } from '../src/operations/run-once.ts';
import { MapCache } from '../src/testing/map-cache.ts';
import { BINDING, ISSUER, proven } from './identity-samples.ts';
import { addTenant, callerOf, type Fixture, makeFixture, promised } from './kms-fixture.ts';

const HOUR = 60 * 60_000;
const SPIFFE = 'spiffe://acme.example/orders/api';
const DEMANDING: CreateIdentityBindingInput = {
  ...BINDING,
  certificate: { 'san.uri': 'spiffe://acme.example/orders/*' },
};

function certificate(change: Partial<PresentedCertificate> = {}): PresentedCertificate {
  const now = Date.now();
  const fingerprint = randomBytes(32).toString('hex');
  const names = { uris: [SPIFFE], dnsNames: [], emails: [], commonName: 'orders' };
  return { ...names, fingerprint, notBefore: now - HOUR, notAfter: now + 10 * HOUR, ...change };
}

let f: Fixture;
let admin: Operation;
beforeEach(async () => {
  f = await makeFixture();
  admin = { kms: f.kms, caller: f.admin };
});

const resolve = (claims: ProvenClaims, own?: PresentedCertificate, named?: string): Promise<Identity> =>
  promised(() => resolveIdentity(f.kms, claims, named, own));
const refusalOf = (...args: Parameters<typeof resolve>): Promise<unknown> =>
  resolve(...args).then(
    () => undefined,
    (error: unknown) => error,
  );
async function otherTenant(): Promise<Operation> {
  const tenantId = newId();
  await addTenant(f.kms, tenantId);
  return { kms: f.kms, caller: callerOf(tenantId, 'tenant_admin') };
}

describe('a binding that demands a certificate', () => {
  test('lets in who has both, and neither one alone nor with another certificate, in any order', async () => {
    await createIdentityBinding(admin, DEMANDING);
    const [claims, own] = [proven(), certificate()];
    const refused = { code: 'UNAUTHORIZED', message: notAuthorized().message, refusedFor: 'certificate' };
    for (let round = 0; round < 2; round += 1) {
      expect(await refusalOf(claims)).toMatchObject({ ...refused, tenantId: f.tenantId });
      expect(await refusalOf(claims, certificate({ uris: ['spiffe://acme.example/billing'] }))).toMatchObject(refused);
      expect(await refusalOf(claims, certificate({ uris: [] }), f.tenantId)).toMatchObject(refused);
      for (const named of [undefined, f.tenantId])
        expect(await resolve(claims, own, named)).toMatchObject({
          tenantId: f.tenantId,
          subject: `${ISSUER}#${claims.subject}`,
        });
    }
    const stranger = await refusalOf(proven({ sub: 'system:serviceaccount:billing:api' }), own);
    expect(stranger).not.toHaveProperty('tenantId');
    const verifier = certificateVerifier(f.kms, [apiTokenVerifier(f.kms)]);
    await expect(promised(() => verifier.verify({ certificate: own }))).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  });

  test('gives what it gives only beside the certificate, and others of the tenant what they give without', async () => {
    await createIdentityBinding(admin, { ...DEMANDING, role: 'key_admin' });
    await createIdentityBinding(admin, { ...BINDING, role: 'auditor' });
    const [claims, own] = [proven(), certificate()];
    expect((await resolve(claims, own)).permissions.has('kms:keys:create')).toBe(true);
    expect((await resolve(claims)).permissions.has('kms:keys:create')).toBe(false);
  });

  test('of another tenant makes of a token and a certificate no way into this one', async () => {
    const other = await otherTenant();
    await createIdentityBinding(other, DEMANDING);
    await createIdentityBinding(other, { ...BINDING, issuer: CERTIFICATE_ISSUER, match: { 'san.uri': SPIFFE } });
    const [claims, own] = [proven(), certificate()];
    expect(await refusalOf(claims, own, f.tenantId)).not.toHaveProperty('tenantId');
    // Nor does it take from somebody what their own tenant gives.
    await createIdentityBinding(admin, BINDING);
    expect(await resolve(claims, own, f.tenantId)).toMatchObject({ tenantId: f.tenantId });
    expect(await resolve(claims)).toMatchObject({ tenantId: f.tenantId });
    await expect(resolve(claims, own)).rejects.toMatchObject({ code: 'TENANT_MISMATCH' });
  });

  test('lets nobody in once the certificate has ended, though its connection is there', async () => {
    await createIdentityBinding(admin, DEMANDING);
    const [claims, own] = [proven(), certificate({ notAfter: f.kms.clock() + 60_000 })];
    await resolve(claims, own);
    f.advance(60_000);
    expect(await refusalOf(claims, own)).toMatchObject({ refusedFor: 'certificate' });
  });

  test('lets nobody in whose certificate its tenant denies, also where nothing else looks at certificates', async () => {
    await createIdentityBinding(admin, DEMANDING);
    await createIdentityBinding(admin, { ...BINDING, match: { sub: 'another' } });
    const own = certificate();
    const [claims, undemanded] = [proven(), proven({ sub: 'another' })];
    for (const each of [claims, undemanded]) await resolve(each, own);
    await denyIdentity(await otherTenant(), { issuer: CERTIFICATE_ISSUER, jti: own.fingerprint });
    for (const each of [claims, undemanded]) await resolve(each, own);
    await denyIdentity(admin, { issuer: CERTIFICATE_ISSUER, jti: own.fingerprint });
    for (const each of [claims, undemanded])
      expect(await refusalOf(each, own)).toMatchObject({
        tenantId: f.tenantId,
        subject: `${CERTIFICATE_ISSUER}#${SPIFFE}`,
        refusedFor: 'denied',
      });
    expect(await resolve(claims, certificate())).toMatchObject({ tenantId: f.tenantId });
  });

  test('gives nothing that outlasts the certificate', async () => {
    await createIdentityBinding(admin, { ...DEMANDING, role: 'tenant_admin' });
    const notAfter = f.kms.clock() + 60_000;
    const identity = await resolve(proven(), certificate({ notAfter }));
    expect(identity.expiresAt).toEqual(new Date(notAfter));
    const made = await createApiToken(
      { kms: f.kms, caller: callerFor(identity, f.tenantId, null) },
      { name: 'made', role: 'auditor' },
    );
    expect(made.expiresAt).toBe(new Date(notAfter).toISOString());
    // A certificate that nobody demanded bounds nothing.
    await createIdentityBinding(admin, { ...BINDING, match: { sub: 'another' }, role: 'auditor' });
    const another = proven({ sub: 'another' });
    expect((await resolve(another, certificate({ notAfter }))).expiresAt).toEqual(new Date(another.expiresAt));
  });

  test('is shown with what it demands, and kept so that a release which does not know of it lets nobody in', async () => {
    const { bindingId } = await createIdentityBinding(admin, DEMANDING);
    expect(await getIdentityBinding(admin, { bindingId })).toMatchObject({ certificate: DEMANDING.certificate });
    const scope = { kind: 'tenant', tenantId: f.tenantId } as const;
    const record = await f.store.transact(scope, (unit) => unit.identities.get(bindingId));
    expect(record?.fields).toEqual({ '!certificate': DEMANDING.certificate });
    expect((await createIdentityBinding(admin, BINDING)).certificate).toBeNull();
  });

  test('of which somebody took the demand out of the database, or changed it, lets nobody in', async () => {
    const alerts: string[] = [];
    const identities = new IdentityRing(
      f.store,
      f.kms.hierarchy,
      { feed: f.store.changes, memory: new MapCache<BoundIdentities>() },
      f.kms.clock,
      ({ message }) => void alerts.push(message),
    );
    const { bindingId } = await createIdentityBinding(admin, DEMANDING);
    const scope = { kind: 'tenant', tenantId: f.tenantId } as const;
    const record = await f.store.transact(scope, (unit) => unit.identities.get(bindingId));
    if (record === undefined) throw new Error('There is no such binding.');
    for (const fields of [
      {},
      { '!certificate': { 'san.uri': '*' } },
      { '!certificate': null },
      { '!certificate': { 'san.uri': 7 } },
    ])
      await f.store.transact(scope, (unit) => unit.identities.insert({ ...record, bindingId: newId(), fields }));
    const ask = (own?: PresentedCertificate) =>
      promised(() => resolveIdentity({ ...f.kms, identities }, proven(), undefined, own));
    await expect(ask()).rejects.toMatchObject({ refusedFor: 'certificate' });
    await expect(ask(certificate({ uris: ['spiffe://other'] }))).rejects.toMatchObject({ refusedFor: 'certificate' });
    expect(alerts.length).toBeGreaterThanOrEqual(4);
    expect(await ask(certificate())).toMatchObject({ tenantId: f.tenantId });
  });

  test('is held beside each certificate, and counts no longer once it is denied', async () => {
    const identities = new IdentityRing(
      f.store,
      f.kms.hierarchy,
      { feed: f.store.changes, memory: new MapCache<BoundIdentities>() },
      f.kms.clock,
    );
    const kms = { ...f.kms, identities };
    await createIdentityBinding({ ...admin, kms }, DEMANDING);
    const [claims, own] = [proven({}, { issuedAt: Date.now() - 1000 }), certificate()];
    await promised(() => resolveIdentity(kms, claims, undefined, own));
    expect(resolveIdentity(kms, claims, undefined, own)).not.toBeInstanceOf(Promise);
    await expect(promised(() => resolveIdentity(kms, claims))).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    await denyIdentity({ ...admin, kms }, { issuer: ISSUER, sub: claims.subject });
    await expect(promised(() => resolveIdentity(kms, claims, undefined, own))).rejects.toMatchObject({
      refusedFor: 'denied',
    });
  });

  test('has as many claims as one may match, each one that a certificate can have', async () => {
    const wrong: readonly unknown[] = [
      {},
      { 'san.url': 'x' },
      { 'san.uri': 'a*b' },
      { 'san.uri': '' },
      [],
      'text',
      { sub: 'x' },
    ];
    for (const demanded of wrong)
      await expect(
        createIdentityBinding(admin, { ...BINDING, certificate: demanded as Record<string, string> }),
      ).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    const own = { ...BINDING, issuer: CERTIFICATE_ISSUER, match: { 'san.uri': SPIFFE } };
    await expect(createIdentityBinding(admin, { ...own, certificate: { 'san.uri': SPIFFE } })).rejects.toMatchObject({
      code: 'BAD_REQUEST',
      message: expect.stringContaining('match'),
    });
  });
});

test('an answer that a release kept which knew of no certificates is repeated as one that demands none', async () => {
  const { certificate: _unknown, ...before } = await createIdentityBinding(admin, BINDING);
  const op = { ...admin, idempotency: { key: 'kept', fingerprint: randomBytes(32) } };
  await f.kms.hierarchy.under(f.tenantId, (chain) =>
    f.store.transact({ kind: 'tenant', tenantId: f.tenantId }, (unit) =>
      runOnce(op, { unit, chain, what: 'create-identity-binding' }, async () => before),
    ),
  );
  expect(await createIdentityBinding(op, BINDING)).toEqual({ ...before, certificate: null });
});

test.each([
  ['that demand one', DEMANDING],
  // A token may be bound to the certificate whatever the binding demands.
  ['of other issuers', BINDING],
])('a denial of a certificate is lifted by nobody who has less than the bindings give %s', async (_which, binding) => {
  await createIdentityBinding(admin, { ...binding, role: 'key_admin' });
  const { denialId } = await denyIdentity(admin, { issuer: CERTIFICATE_ISSUER, sub: SPIFFE });
  const less = { kms: f.kms, caller: callerOf(f.tenantId, null, ['kms:identity-bindings:manage']) };
  await expect(liftIdentityDenial(less, { denialId })).rejects.toMatchObject({ code: 'FORBIDDEN' });
  await liftIdentityDenial(admin, { denialId });
});
