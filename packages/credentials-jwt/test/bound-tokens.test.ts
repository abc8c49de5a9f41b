import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PresentedCertificate } from '@qnsp/kms-core/ports';
import { tempDir } from '@qnsp/test-harness';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { AUDIENCE, issuerPair } from './issuers.ts';
import { REFUSED, type VerifierUnderTest, verifierUnderTest } from './verifier-under-test.ts';

const ISSUER = 'https://issuer.example';
const SUBJECT = 'orders';
const files = tempDir('qnsp-bound-tokens-');
afterAll(() => files.remove());

function certificate(): PresentedCertificate {
  const [now, hour] = [Date.now(), 60 * 60_000];
  const fingerprint = randomBytes(32).toString('hex');
  const names = { uris: ['spiffe://acme.example/orders'], dnsNames: [], emails: [] };
  return { ...names, fingerprint, notBefore: now - hour, notAfter: now + hour };
}
const digestOf = ({ fingerprint }: PresentedCertificate) => Buffer.from(fingerprint, 'hex').toString('base64url');

let f: VerifierUnderTest;
let tokenWith: (cnf: unknown, claims?: object) => Promise<string>;
beforeEach(async () => {
  const pair = await issuerPair('key-1', 'ES256');
  const jwksFile = join(files.path, `${crypto.randomUUID()}.json`);
  writeFileSync(jwksFile, JSON.stringify({ keys: [pair.publicJwk] }));
  f = await verifierUnderTest([{ issuer: ISSUER, audience: AUDIENCE, jwksFile }]);
  await f.bind({ issuer: ISSUER, match: { sub: SUBJECT } });
  const now = Math.floor(Date.now() / 1000);
  tokenWith = (cnf, claims = {}) =>
    pair.sign({ iss: ISSUER, aud: AUDIENCE, sub: SUBJECT, iat: now, exp: now + 600, cnf, ...claims });
});

describe('a token that is bound to a certificate (RFC 8705, section 3)', () => {
  test('counts on connections whose client has it, and on no others, whichever it came on before', async () => {
    const own = certificate();
    const token = await tokenWith({ 'x5t#S256': digestOf(own) });
    for (let round = 0; round < 2; round += 1) {
      for (const wrong of [undefined, certificate()])
        await expect(f.verify(token, undefined, wrong)).rejects.toMatchObject({
          ...REFUSED,
          refusedFor: 'certificate',
          subject: `${ISSUER}#${SUBJECT}`,
          tenantId: f.tenantId,
        });
      for (const named of [undefined, f.tenantId])
        expect(await f.verify(token, named, own)).toMatchObject({ subject: `${ISSUER}#${SUBJECT}` });
    }
    expect(f.refusals).toEqual(Array.from({ length: 4 }, () => 'certificate'));
  });

  test('is known from memory only where it counts, so that others who try it are held back', async () => {
    const own = certificate();
    const bearer = await tokenWith({ 'x5t#S256': digestOf(own) });
    await f.verify(bearer, undefined, own);
    expect(f.verifier.verify({ bearer, certificate: own })).not.toBeInstanceOf(Promise);
    expect(f.verifier.holds?.({ bearer, certificate: own })).toBe(true);
    for (const wrong of [undefined, certificate()]) {
      // Its refusal is made with what is known of its bearer, which is held from then on.
      await expect(f.verify(bearer, undefined, wrong)).rejects.toMatchObject(REFUSED);
      expect(f.verifier.holds?.({ bearer, certificate: wrong })).toBe(false);
    }
  });

  test('counts no longer once the certificate has ended, though its connection is there', async () => {
    const own = { ...certificate(), notAfter: f.clock() + 60_000 };
    const bearer = await tokenWith({ 'x5t#S256': digestOf(own) });
    await f.verify(bearer, undefined, own);
    f.advance(60_000);
    expect(f.verifier.holds?.({ bearer, certificate: own })).toBe(false);
    await expect(f.verify(bearer, undefined, own)).rejects.toMatchObject({ ...REFUSED, refusedFor: 'certificate' });
  });

  test('is refused as any other for what is wrong with it besides', async () => {
    const own = certificate();
    const expired = await tokenWith({ 'x5t#S256': digestOf(own) }, { iat: 1_700_000_000, exp: 1_700_000_600 });
    await expect(f.verify(expired)).rejects.toMatchObject({ ...REFUSED, refusedFor: 'expired' });
    const unbound = await tokenWith({ 'x5t#S256': digestOf(own) }, { sub: 'nobody' });
    const error: unknown = await f.verify(unbound).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject(REFUSED);
    expect(error).not.toHaveProperty('tenantId');
  });

  test('counts nowhere if it does not name the certificate as the standard has it', async () => {
    const own = certificate();
    const digest = digestOf(own);
    const wrong: readonly unknown[] = [
      'text',
      null,
      [{ 'x5t#S256': digest }],
      ...[
        '',
        `${digest}=`,
        digest.slice(1),
        `${digest}A`,
        own.fingerprint,
        `+${digest.slice(1)}`,
        7,
        null,
        [digest],
      ].map((thumbprint) => ({ 'x5t#S256': thumbprint })),
    ];
    for (const cnf of wrong) {
      const token = await tokenWith(cnf);
      for (const presented of [own, undefined])
        await expect(f.verify(token, undefined, presented), JSON.stringify(cnf)).rejects.toMatchObject(REFUSED);
    }
    expect(new Set(f.refusals)).toEqual(new Set(['claims']));
  });

  test('is no other one: what this service does not understand of it binds it to nothing', async () => {
    for (const cnf of [undefined, {}, { jkt: 'x' }])
      expect(await f.verify(await tokenWith(cnf))).toMatchObject({ tenantId: f.tenantId });
  });
});
