import { randomBytes } from 'node:crypto';
import * as vitest from 'vitest';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  apiTokenVerifier,
  CERTIFICATE_ISSUER,
  certificateVerifier,
  createApiToken,
  createIdentityBinding,
  deleteIdentityBinding,
  denyIdentity,
  effectivePermissions,
  type Identity,
  liftIdentityDenial,
  newId,
  type Operation,
  type PresentedCertificate,
  type PresentedCredentials,
} from '../src/exports/internal.ts';
import { credentialVerifierContract, declareContract } from '../src/testing/index.ts';
import { addTenant, callerOf, type Fixture, makeFixture } from './kms-fixture.ts';

const HOUR_MS = 60 * 60_000;
const SPIFFE = 'spiffe://acme.example/ns/payments/sa/api';

function certificate(change: Partial<PresentedCertificate> = {}): PresentedCertificate {
  return {
    uris: [SPIFFE],
    dnsNames: ['pay.acme.example'],
    emails: ['pay@acme.example'],
    commonName: 'payments',
    fingerprint: randomBytes(32).toString('hex'),
    notBefore: Date.now() - HOUR_MS,
    notAfter: Date.now() + HOUR_MS,
    ...change,
  };
}
const bind = (op: Operation, match: Readonly<Record<string, string>>) =>
  createIdentityBinding(op, { issuer: CERTIFICATE_ISSUER, match, role: 'key_user' });

declareContract(
  credentialVerifierContract('certificates as credentials', async () => {
    const { kms, admin, tenantId, advance } = await makeFixture();
    const op = { kms, caller: admin };
    await bind(op, { 'san.uri': SPIFFE });
    const denied = certificate({ uris: ['spiffe://acme.example/denied'], notBefore: Date.now() - 2 * HOUR_MS });
    await bind(op, { 'san.uri': 'spiffe://acme.example/denied' });
    await denyIdentity(op, {
      issuer: CERTIFICATE_ISSUER,
      sub: 'spiffe://acme.example/denied',
      before: new Date(kms.clock()),
    });
    advance(1);
    const live = certificate();
    return {
      verifier: certificateVerifier(kms, []),
      live: { certificate: live },
      identity: {
        subject: `${CERTIFICATE_ISSUER}#${SPIFFE}`,
        tenantId,
        credential: 'certificate',
        holds: [...effectivePermissions('key_user', [])],
      },
      unknown: [{ certificate: certificate({ uris: ['spiffe://acme.example/other'] }) }],
      ended: [{ presented: { certificate: denied }, subject: `${CERTIFICATE_ISSUER}#spiffe://acme.example/denied` }],
      foreign: [{ bearer: 'eyJhbGciOiJFUzI1NiJ9.e30.c2ln' }],
      end: async () => {
        await denyIdentity(op, {
          issuer: CERTIFICATE_ISSUER,
          jti: live.fingerprint,
          before: new Date(kms.clock()),
        });
      },
    };
  }),
  vitest,
);

describe('a certificate of a client', () => {
  let f: Fixture;
  let admin: Operation;
  beforeEach(async () => {
    f = await makeFixture();
    admin = { kms: f.kms, caller: f.admin };
  });
  const verify = async (presented: PresentedCredentials): Promise<Identity | undefined> =>
    certificateVerifier(f.kms, [apiTokenVerifier(f.kms)]).verify(presented);
  const other = async (): Promise<Operation> => {
    const tenantId = newId();
    await addTenant(f.kms, tenantId);
    return { kms: f.kms, caller: callerOf(tenantId, 'tenant_admin') };
  };
  const tokenOf = async (op: Operation) => (await createApiToken(op, { name: 'beside', role: 'auditor' })).token;

  test.each<readonly [string, string]>([
    ['san.uri', SPIFFE],
    ['san.uri', 'spiffe://acme.example/ns/payments/*'],
    ['san.dns', 'pay.acme.example'],
    ['san.email', 'pay@acme.example'],
    ['subject.cn', 'payments'],
  ])('is bound by its %s', async (claim, value) => {
    await bind(admin, { [claim]: value });
    expect(await verify({ certificate: certificate() })).toMatchObject({
      tenantId: f.tenantId,
      credential: 'certificate',
    });
  });

  test('is bound by its fingerprint, and no other is', async () => {
    const own = certificate();
    await bind(admin, { fingerprint: own.fingerprint });
    expect(await verify({ certificate: own })).toMatchObject({ tenantId: f.tenantId });
    await expect(verify({ certificate: certificate() })).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  });

  test.each<readonly [string, object]>([
    [SPIFFE, {}],
    ['san.dns=pay.acme.example', { uris: [] }],
    ['san.email=pay@acme.example', { uris: [], dnsNames: [] }],
    [`subject.cn=${SPIFFE}`, { uris: [], dnsNames: [], emails: [], commonName: SPIFFE }],
  ])('has the subject %s', async (subject, names) => {
    const own = certificate(names);
    await bind(admin, { fingerprint: own.fingerprint });
    expect(await verify({ certificate: own })).toMatchObject({ subject: `${CERTIFICATE_ISSUER}#${subject}` });
  });

  test('is nobody before a binding and after it was removed', async () => {
    const own = certificate();
    await expect(verify({ certificate: own })).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    const { bindingId } = await bind(admin, { 'san.uri': SPIFFE });
    expect(await verify({ certificate: own })).toBeDefined();
    await deleteIdentityBinding(admin, { bindingId });
    await expect(verify({ certificate: own })).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  });

  test('with names of several lines, or too many of them, is not bound by those', async () => {
    await bind(admin, { 'san.uri': 'spiffe://acme.example/*' });
    const many = Array.from({ length: 65 }, (_, at) => `spiffe://acme.example/${at}`);
    for (const uris of [['spiffe://acme.example/a\nb'], many])
      await expect(verify({ certificate: certificate({ uris }) })).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  });

  test('that ended while its connection lasts is nobody, and lets no other credential pass beside it', async () => {
    await bind(admin, { 'san.uri': SPIFFE });
    const own = certificate({ notAfter: f.kms.clock() + 1000 });
    const bearer = await tokenOf(admin);
    f.advance(1000);
    await expect(verify({ certificate: own })).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    // Whose it was the tenant is told, as of any other credential that has ended.
    const refused = { code: 'UNAUTHORIZED', tenantId: f.tenantId, refusedFor: 'expired' };
    await expect(verify({ certificate: own, bearer })).rejects.toMatchObject({
      ...refused,
      subject: `${CERTIFICATE_ISSUER}#${SPIFFE}`,
      credential: 'certificate',
    });
    const unknown = await verify({ certificate: own, bearer: 'qnsp_pqc_unknown' }).catch((error: unknown) => error);
    expect(unknown).toMatchObject({ code: 'UNAUTHORIZED' });
    expect(unknown).not.toHaveProperty('tenantId');
  });

  test('stays denied for as long as it could prove anything', async () => {
    const own = certificate({ notAfter: f.kms.clock() + 20 * 366 * 24 * HOUR_MS });
    await bind(admin, { 'san.uri': SPIFFE });
    await denyIdentity(admin, { issuer: CERTIFICATE_ISSUER, jti: own.fingerprint });
    for (let year = 0; year < 12; year += 1) {
      f.advance(366 * 24 * HOUR_MS);
      await denyIdentity(admin, { issuer: CERTIFICATE_ISSUER, jti: 'of another' });
      await expect(verify({ certificate: own })).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    }
  });

  test('of several tenants is of the one that the call names', async () => {
    const second = await other();
    await bind(admin, { 'san.uri': SPIFFE });
    await bind(second, { 'san.dns': 'pay.acme.example' });
    await expect(verify({ certificate: certificate() })).rejects.toMatchObject({ code: 'TENANT_MISMATCH' });
    const named = await verify({ certificate: certificate(), tenant: second.caller.tenantId });
    expect(named).toMatchObject({ tenantId: second.caller.tenantId });
  });

  test('beside a token changes nothing of what the token may do, if it is of the same tenant or of none', async () => {
    const bearer = await tokenOf(admin);
    for (let bindings = 0; bindings < 2; bindings += 1) {
      const both = await verify({ certificate: certificate(), bearer });
      expect(both).toMatchObject({ tenantId: f.tenantId, credential: 'api-token' });
      expect([...(both?.permissions ?? [])].sort()).toEqual([...effectivePermissions('auditor', [])].sort());
      await bind(admin, { 'san.uri': SPIFFE });
    }
    // Of several tenants, one is that of the token.
    await bind(await other(), { 'san.uri': SPIFFE });
    expect(await verify({ certificate: certificate(), bearer })).toMatchObject({ credential: 'api-token' });
  });

  test('that other tenants have bound, with whatever match, takes no token of anybody else from them', async () => {
    const bearer = await tokenOf(admin);
    for (const match of [SPIFFE, 's*']) {
      await bind(await other(), { 'san.uri': match });
      expect(await verify({ certificate: certificate(), bearer })).toMatchObject({ tenantId: f.tenantId });
    }
  });

  test('that was bound once takes no token from its tenant', async () => {
    const bearer = await tokenOf(admin);
    const [own, ending] = [certificate(), certificate({ uris: ['spiffe://acme.example/ending'] })];
    const { bindingId } = await bind(admin, { fingerprint: own.fingerprint });
    const expiresAt = new Date(f.kms.clock() + 1000);
    const match = { fingerprint: ending.fingerprint };
    await createIdentityBinding(admin, { issuer: CERTIFICATE_ISSUER, match, role: 'key_user', expiresAt });
    await deleteIdentityBinding(admin, { bindingId });
    f.advance(1001);
    for (const presented of [own, ending]) {
      await expect(verify({ certificate: presented })).rejects.toMatchObject({ tenantId: f.tenantId });
      expect(await verify({ certificate: presented, bearer })).toMatchObject({ credential: 'api-token' });
    }
  });

  test('beside a token is looked up once, whether or not it is bound', async () => {
    const bearer = await tokenOf(admin);
    const own = certificate();
    await verify({ certificate: own, bearer });
    expect(
      certificateVerifier(f.kms, [apiTokenVerifier(f.kms)]).verify({ certificate: own, bearer }),
    ).not.toBeInstanceOf(Promise);
  });

  test('that its tenant denies and never bound makes a token beside it worthless, until the denial is lifted', async () => {
    const bearer = await tokenOf(admin);
    const own = certificate();
    expect(await verify({ certificate: own, bearer })).toBeDefined();
    await denyIdentity(await other(), { issuer: CERTIFICATE_ISSUER, jti: own.fingerprint });
    expect(await verify({ certificate: own, bearer })).toBeDefined();
    const { denialId } = await denyIdentity(admin, { issuer: CERTIFICATE_ISSUER, jti: own.fingerprint });
    await expect(verify({ certificate: own, bearer })).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      subject: `${CERTIFICATE_ISSUER}#${SPIFFE}`,
      refusedFor: 'denied',
    });
    await liftIdentityDenial(admin, { denialId });
    expect(await verify({ certificate: own, bearer })).toBeDefined();
  });

  test('that its tenant denies makes a token beside it worthless', async () => {
    const bearer = await tokenOf(admin);
    const own = certificate({ uris: ['spiffe://acme.example/denied'] });
    await bind(admin, { 'san.uri': 'spiffe://acme.example/denied' });
    expect(await verify({ certificate: own, bearer })).toBeDefined();
    await denyIdentity(admin, {
      issuer: CERTIFICATE_ISSUER,
      jti: own.fingerprint,
      before: new Date(f.kms.clock()),
    });
    await expect(verify({ certificate: own, bearer })).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  });
});
