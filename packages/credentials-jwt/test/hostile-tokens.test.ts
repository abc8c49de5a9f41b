import { createHmac, generateKeyPairSync, randomBytes } from 'node:crypto';
import { exportSPKI, importJWK } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RefusalReason } from '../src/index.ts';
import { AUDIENCE, type CountingServer, countingServer, issuerPair, type IssuerPair, keySet } from './issuers.ts';
import { REFUSED, type VerifierUnderTest, verifierUnderTest } from './verifier-under-test.ts';

const ISSUER = 'https://issuer.example';
let server: CountingServer;
/** Somebody's who wants to be let in. */
let trap: CountingServer;
let rsa: IssuerPair;
let ec: IssuerPair;
let ed: IssuerPair;
let intruder: IssuerPair;
let f: VerifierUnderTest;

beforeAll(async () => {
  [server, trap] = [await countingServer(), await countingServer()];
  [rsa, ec, ed] = [await issuerPair('rsa', 'RS256'), await issuerPair('ec', 'ES256'), await issuerPair('ed', 'EdDSA')];
  intruder = await issuerPair('intruder', 'ES256');
  const { alg: _, ...anyAlgorithm } = rsa.publicJwk;
  server.answer(keySet(anyAlgorithm, ec.publicJwk, ed.publicJwk));
  trap.answer(keySet(intruder.publicJwk));
  f = await verifierUnderTest([{ issuer: ISSUER, audience: AUDIENCE, jwksUrl: server.url }]);
  await f.bind({ issuer: ISSUER, match: { sub: '*', role: 'w*' } });
});
afterAll(async () => {
  await server.close();
  await trap.close();
});

const now = () => Math.floor(Date.now() / 1000);
const claims = (change: object = {}) => ({
  iss: ISSUER,
  aud: AUDIENCE,
  sub: 'worker',
  role: 'writer',
  iat: now(),
  exp: now() + 600,
  ...change,
});
const part = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
/** A token whose header and payload are spelt as given, signed with the key of the issuer. */
async function spelt(header: string, payload: string): Promise<string> {
  const key = await importJWK({ ...ec.privateJwk }, 'ES256');
  const input = `${part(header)}.${part(payload)}`;
  const signature = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, key as CryptoKey, Buffer.from(input));
  return `${input}.${Buffer.from(signature).toString('base64url')}`;
}
const HEADER = JSON.stringify({ alg: 'ES256', kid: 'ec' });

async function expectRefused(token: string, ...reasons: readonly RefusalReason[]): Promise<void> {
  const before = f.refusals.length;
  const error: unknown = await f.verify(token).catch((reason: unknown) => reason);
  expect(error).toMatchObject(REFUSED);
  const shown = JSON.stringify([error, String(error), error instanceof Error ? error.stack : '']);
  if (token.length > 40) expect(shown).not.toContain(token.slice(-20));
  if (reasons.length > 0) expect(reasons).toContain(f.refusals.slice(before)[0]);
}

test.each([
  ['RS256', () => rsa],
  ['ES256', () => ec],
  ['EdDSA', () => ed],
])('a sound token with %s is taken', async (_algorithm, pair) => {
  expect(await f.verify(await pair().sign(claims()))).toMatchObject({ subject: `${ISSUER}#worker` });
});

describe('what is signed otherwise than by the issuer is refused', () => {
  test('with the public key as the secret of an HMAC, in every spelling of that key', async () => {
    const publicKey = await importJWK({ ...rsa.publicJwk }, 'RS256');
    const pem = await exportSPKI(publicKey as CryptoKey);
    const secrets = [pem, pem.trim(), JSON.stringify(rsa.publicJwk), String(rsa.publicJwk.n)];
    for (const alg of ['HS256', 'HS384', 'HS512'])
      for (const secret of secrets) {
        const input = `${part({ alg, kid: 'rsa' })}.${part(claims())}`;
        const signature = createHmac(`sha${alg.slice(2)}`, secret)
          .update(input)
          .digest('base64url');
        await expectRefused(`${input}.${signature}`, 'algorithm');
      }
  });

  test.each(['none', 'None', 'NONE', 'nOnE', '', 'dir', 'ES256K', 'RS1', 'es256', null, 7, ['ES256'], undefined])(
    'with the algorithm %o',
    async (alg) => {
      for (const signature of ['', 'AA', part(randomBytes(64).toString('latin1'))])
        await expectRefused(`${part({ alg, kid: 'ec' })}.${part(claims())}.${signature}`, 'algorithm', 'malformed');
    },
  );

  test('with an algorithm that is not the one of the key', async () => {
    for (const [pair, alg] of [
      [ec, 'RS256'],
      [ec, 'ES384'],
      [ec, 'EdDSA'],
      [rsa, 'ES256'],
      [ed, 'ES256'],
    ] as const) {
      const [, payload = '', signature = ''] = (await pair.sign(claims())).split('.');
      await expectRefused(`${part({ alg, kid: pair.kid })}.${payload}.${signature}`, 'unknown-key', 'signature');
    }
  });

  test('by a signature of zeros, of nothing, of the wrong size, or of other claims', async () => {
    const [header = '', payload = '', signature = ''] = (await ec.sign(claims())).split('.');
    for (const forged of [
      Buffer.alloc(64),
      Buffer.alloc(64, 0xff),
      Buffer.alloc(63),
      Buffer.alloc(1),
      Buffer.from(signature, 'base64url').subarray(0, 63),
      Buffer.concat([Buffer.from(signature, 'base64url'), Buffer.alloc(1)]),
    ])
      await expectRefused(`${header}.${payload}.${forged.toString('base64url')}`, 'signature');
    await expectRefused(`${header}.${part(claims({ role: 'w', sub: 'root' }))}.${signature}`, 'signature');
  });

  test('by somebody who brings the key along or says where it is, and nobody is asked there', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const brought = [
      { jwk: intruder.publicJwk },
      { jku: `${trap.url}/keys` },
      { x5u: `${trap.url}/certificate.pem` },
      { x5c: [privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64')] },
      { jku: `${trap.url}/keys`, jwk: intruder.publicJwk, kid: 'ec' },
      { kid: `${trap.url}/keys` },
    ];
    for (const header of brought)
      await expectRefused(await intruder.sign(claims(), header), 'unknown-key', 'signature');
    expect(trap.asked).toEqual([]);
    // What the issuer itself puts there does not matter.
    await f.verify(await ec.sign(claims(), { jku: `${trap.url}/keys`, jwk: intruder.publicJwk }));
    expect(trap.asked).toEqual([]);
  });

  test.each([
    '../../../../dev/null',
    '/etc/passwd',
    'file:///etc/passwd',
    "' or '1'='1",
    "x' union select 'AAAA' --",
    '$(id)',
    '__proto__',
    'constructor',
    '',
    'ec\u0000',
    'EC',
    ' ec',
    'x'.repeat(513),
    'x'.repeat(100_000),
    7,
    null,
    ['ec'],
    { ec: 1 },
  ])('with the id of a key %#', async (kid) => {
    await expectRefused(
      `${part({ alg: 'ES256', kid })}.${part(claims())}.${part('x')}`,
      'unknown-key',
      'malformed',
      'too-long',
    );
  });
});

describe('what is spelt otherwise than the RFC has it is refused', () => {
  test('in other alphabets, with padding, with stray bits, and in more or fewer parts', async () => {
    const token = await ec.sign(claims());
    const [header = '', payload = '', signature = ''] = token.split('.');
    const last = signature.at(-1) ?? '';
    const stray = String.fromCharCode(last.charCodeAt(0) + 1);
    const toBase64 = (text: string) => Buffer.from(text, 'base64url').toString('base64');
    for (const other of [
      `${toBase64(header)}.${payload}.${signature}`,
      `${header}.${payload}.${toBase64(signature)}`,
      `${header}.${payload}.${signature}=`,
      `${header}.${payload}.${signature}==`,
      `${header}.${payload}.${signature.slice(0, -1)}${stray}`,
      `${header}.${payload} .${signature}`,
      `${header}.${payload}.${signature}\n`,
      `${header}.${payload}`,
      `${header}.${payload}.`,
      `${header}..${signature}`,
      `${token}.`,
      `${token}.${signature}`,
      `${header}.${payload}.${signature}.${part('x')}.${part('y')}`,
      'eyJ',
      'eyJ..',
      'eyJhIjoxfQ.e30.e30',
    ])
      await expectRefused(other);
  });

  test('with a member that occurs twice, at any depth and in any spelling', async () => {
    const sound = JSON.stringify(claims());
    const within = (extra: string) => `${sound.slice(0, -1)},${extra}}`;
    for (const payload of [
      within('"sub":"root"'),
      within('"s\\u0075b":"root"'),
      `{"sub":"root",${sound.slice(1)}`,
      within('"a":{"b":1,"b":2}'),
      within('"a":[{"b":1},{"c":1,"c":1}]'),
    ])
      await expectRefused(await spelt(HEADER, payload), 'malformed');
    for (const header of ['{"alg":"none","alg":"ES256","kid":"ec"}', '{"alg":"ES256","kid":"x","kid":"ec"}'])
      await expectRefused(await spelt(header, sound), 'malformed');
    await f.verify(await spelt(HEADER, within('"a":{"b":1},"b":[{"b":"\\"b\\":"},{"b":2}]')));
  });

  test.each(['', '[]', '"text"', 'null', '7', '{', '{}{}', '{"a":1}x', '\ufeff{}', `{"a":"\ud800"}`])(
    'with the payload %j',
    async (payload) => {
      await expectRefused(await spelt(HEADER, payload));
    },
  );

  test('with bytes that are no text', async () => {
    const payload = Buffer.concat([Buffer.from('{"sub":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')]);
    await expectRefused(`${part(HEADER)}.${payload.toString('base64url')}.${part('x')}`, 'malformed');
  });

  test('that is huge, before anything is made of it', async () => {
    const before = process.cpuUsage();
    for (const length of [16 * 1024 + 1, 10_000_000]) await expectRefused(`eyJ${'A'.repeat(length)}`, 'too-long');
    const deep = `{"a":${'['.repeat(5000)}${']'.repeat(5000)}}`;
    await expectRefused(
      `${part(HEADER)}.${part(deep)}.${part('x')}`,
      'too-long',
      'claims',
      'unknown-issuer',
      'malformed',
    );
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1000).toBeLessThan(5000);
  });

  test.each<[object]>([
    [{ crit: ['exp'], exp: 1 }],
    [{ crit: [] }],
    [{ crit: ['b64'], b64: false }],
    [{ b64: false }],
    [{ crit: null }],
  ])('with the header %j, which asks to be understood', async (header) => {
    await expectRefused(
      await spelt(JSON.stringify({ alg: 'ES256', kid: 'ec', ...header }), JSON.stringify(claims())),
      'critical-header',
    );
  });
});

describe('what its issuer signed is refused', () => {
  const cases: readonly (readonly [string, () => object, RefusalReason])[] = [
    ['for another service', () => ({ aud: 'https://other.example' }), 'audience'],
    ['for other services', () => ({ aud: ['https://other.example', `${AUDIENCE}/`] }), 'audience'],
    ['for a service in another case', () => ({ aud: AUDIENCE.toUpperCase() }), 'audience'],
    ['for nobody', () => ({ aud: [] }), 'audience'],
    ['for what is no text', () => ({ aud: [AUDIENCE, 7] }), 'claims'],
    ['for an object', () => ({ aud: { [AUDIENCE]: true } }), 'claims'],
    ['without a service', () => ({ aud: undefined }), 'claims'],
    ['in the name of another issuer', () => ({ iss: 'https://other.example' }), 'unknown-issuer'],
    ['in the name of its own address with a slash', () => ({ iss: `${ISSUER}/` }), 'unknown-issuer'],
    ['without an issuer', () => ({ iss: undefined }), 'unknown-issuer'],
    ['in the name of two', () => ({ iss: [ISSUER] }), 'unknown-issuer'],
    ['without a subject', () => ({ sub: undefined }), 'claims'],
    ['for an empty subject', () => ({ sub: '' }), 'claims'],
    ['for a subject of several lines', () => ({ sub: 'a\nlevel=info' }), 'claims'],
    ['for a subject that is too long', () => ({ sub: 'x'.repeat(256) }), 'claims'],
    ['for a number', () => ({ sub: 7 }), 'claims'],
    ['with an id that is no text', () => ({ jti: { a: 1 } }), 'claims'],
    ['without an end', () => ({ exp: undefined }), 'claims'],
    ['with an end that is text', () => ({ exp: '9999999999' }), 'claims'],
    ['with an end that no clock reaches', () => ({ exp: 1e308 }), 'claims'],
    ['without a beginning', () => ({ iat: undefined }), 'claims'],
    ['that has expired', () => ({ exp: now() - 31, iat: now() - 60 }), 'expired'],
    ['from the future', () => ({ iat: now() + 60 }), 'not-yet-valid'],
    ['that is not valid yet', () => ({ nbf: now() + 60 }), 'not-yet-valid'],
    ['that ends before it begins', () => ({ iat: now() + 20, exp: now() + 10 }), 'lifetime'],
    ['for longer than a day', () => ({ exp: now() + 24 * 60 * 60 + 60 }), 'lifetime'],
    [
      'with more values than are looked at',
      () => ({ many: Array.from({ length: 600 }, (_, at) => `${at}`) }),
      'claims',
    ],
  ];
  test.each(cases)('%s', async (_what, change, reason) => {
    for (const pair of [ec, rsa]) await expectRefused(await pair.sign(claims(change())), reason);
  });

  test('but not for what is within the tolerance of clocks, nor for several services of which it is one', async () => {
    for (const change of [
      { iat: now() + 20, exp: now() + 60 },
      { iat: now() - 100, exp: now() - 10 },
      { nbf: now() + 20 },
      { aud: ['https://other.example', AUDIENCE] },
      { exp: now() + 24 * 60 * 60 - 5 },
    ])
      await f.verify(await ec.sign(claims(change)));
  });

  test('when it is bound by claims that it does not have', async () => {
    await expectRefused(await ec.sign(claims({ role: 'reader' })), 'not-bound');
    await expectRefused(await ec.sign(claims({ role: undefined, roles: 'writer' })), 'not-bound');
    await expectRefused(await ec.sign(claims({ role: { w: 'writer' } })), 'not-bound');
  });
});
