import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { ed25519, x25519 } from '@noble/curves/ed25519.js';
import { p256, p384 } from '@noble/curves/nist.js';
import { ml_kem768_x25519 as nobleXWing } from '@noble/post-quantum/hybrid.js';
import { ml_dsa44, ml_dsa65, ml_dsa87 } from '@noble/post-quantum/ml-dsa.js';
import { ml_kem512, ml_kem768, ml_kem1024 } from '@noble/post-quantum/ml-kem.js';
import { describe, expect, test } from 'vitest';
import { ALGORITHMS } from '../src/algorithms/registry.ts';
import { algorithmById } from '../src/algorithms/resolve.ts';
import { xWing, xWingPublicKey } from '../src/engines/kem.ts';
import { signatureEngine } from '../src/engines/signature-engine.ts';
import { freshKey } from './crypto-samples.ts';
import { expectVerifiedElsewhere, otherSlhDsa } from './other-slh-dsa.ts';
import { signsSlowly } from './slow-signers.ts';

const MESSAGE = Buffer.from('what one implementation signs, the other accepts');
const OTHER = Buffer.from('another message');

/** The raw public key in a SubjectPublicKeyInfo. */
function rawPublic(spki: Uint8Array): Buffer {
  return createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' }).export({ format: 'raw-public' });
}

/** A raw public key of another implementation. The type stands for every type that Node can read raw. */
function fromRaw(key: Uint8Array, type: string): KeyObject {
  return createPublicKey({ key: Buffer.from(key), format: 'raw-public', asymmetricKeyType: type as 'ed25519' });
}

const latticeSigners = [
  ['dilithium-2', ml_dsa44],
  ['dilithium-3', ml_dsa65],
  ['dilithium-5', ml_dsa87],
] as const;
const CONTEXTS = [
  ['no context', undefined],
  ['an empty context', Buffer.alloc(0)],
  ['a context', Buffer.from('qnsp')],
  ['the longest context', Buffer.alloc(255, 0xa5)],
] as const;

describe.each(latticeSigners)('ML-DSA as %s', (id, noble) => {
  const algorithm = algorithmById(id);

  test.each(CONTEXTS)('is the ML-DSA of another implementation, both ways, with %s', async (_name, context) => {
    const options = context === undefined ? {} : { context };
    const ours = await freshKey(algorithm);
    const signature = await ours.engine.sign(MESSAGE, options);
    const raw = rawPublic(ours.publicKey);
    expect(noble.verify(signature, MESSAGE, raw, options)).toBe(true);
    expect(noble.verify(signature, OTHER, raw, options)).toBe(false);
    expect(noble.verify(signature, MESSAGE, raw, { context: Buffer.from('wrong') })).toBe(false);

    const theirs = noble.keygen();
    const publicKey = fromRaw(
      theirs.publicKey,
      noble === ml_dsa44 ? 'ml-dsa-44' : noble === ml_dsa65 ? 'ml-dsa-65' : 'ml-dsa-87',
    );
    const verifier = signatureEngine(algorithm, publicKey, publicKey);
    const foreign = noble.sign(MESSAGE, theirs.secretKey, options);
    expect(await verifier.verify(MESSAGE, foreign, options)).toBe(true);
    expect(await verifier.verify(OTHER, foreign, options)).toBe(false);
    expect(await verifier.verify(MESSAGE, foreign, { context: Buffer.from('wrong') })).toBe(false);
  });
});

describe.each([
  ['kyber-512', ml_kem512],
  ['kyber-768', ml_kem768],
  ['kyber-1024', ml_kem1024],
] as const)('ML-KEM as %s', (id, noble) => {
  const algorithm = algorithmById(id);

  test('decapsulates what another implementation encapsulated', async () => {
    const ours = await freshKey(algorithm);
    const { cipherText, sharedSecret } = noble.encapsulate(rawPublic(ours.publicKey));
    expect(Buffer.from(await ours.engine.decapsulate(cipherText))).toEqual(Buffer.from(sharedSecret));
  });

  test('is decapsulated by another implementation from the same seed', async () => {
    const ours = await freshKey(algorithm);
    const seed = ours.material.key.export({ format: 'raw-seed' });
    const { secretKey, publicKey } = noble.keygen(seed);
    expect(Buffer.from(publicKey)).toEqual(rawPublic(ours.publicKey));
    const { ciphertext, sharedSecret } = await ours.engine.encapsulate();
    expect(Buffer.from(noble.decapsulate(ciphertext, secretKey))).toEqual(Buffer.from(sharedSecret));
  });
});

describe('X-Wing', () => {
  const seed = Buffer.alloc(32, 0x42);

  test('makes the key pair of another implementation from the same seed', () => {
    expect(Buffer.from(nobleXWing.keygen(seed).publicKey)).toEqual(xWingPublicKey(seed));
  });

  test('agrees with another implementation in both directions', () => {
    const theirs = nobleXWing.keygen(seed);
    const ours = xWing(seed);
    const first = nobleXWing.encapsulate(xWingPublicKey(seed));
    expect(Buffer.from(ours.decapsulate(first.cipherText))).toEqual(Buffer.from(first.sharedSecret));
    const second = ours.encapsulate();
    expect(Buffer.from(nobleXWing.decapsulate(second.ciphertext, theirs.secretKey))).toEqual(
      Buffer.from(second.sharedSecret),
    );
  });
});

describe('SLH-DSA', () => {
  const rows = ALGORITHMS.filter((row) => row.family === 'slh-dsa');
  test.each(rows.filter((row) => !signsSlowly(row)))(
    'as $id is verified by another implementation, with and without context',
    expectVerifiedElsewhere,
  );

  // Signing with the small sets takes another implementation in JavaScript many seconds; NIST's signatures cover them.
  test.each(rows.filter((row) => row.id.includes('f-simple')))(
    'as $id verifies another implementation',
    async (row) => {
      const noble = otherSlhDsa(row.id);
      const { secretKey, publicKey } = noble.keygen();
      const key = fromRaw(publicKey, row.form.kind === 'node-key' ? row.form.keyType : '');
      const verifier = signatureEngine(row, key, key);
      const context = Buffer.from('qnsp');
      const signature = noble.sign(MESSAGE, secretKey, { context });
      expect(await verifier.verify(MESSAGE, signature, { context })).toBe(true);
      expect(await verifier.verify(MESSAGE, signature, {})).toBe(false);
    },
  );
});

describe.each([
  ['ecdsa-p256', p256, 'P-256'],
  ['ecdsa-p384', p384, 'P-384'],
] as const)('ECDSA as %s', (id, noble, crv) => {
  const algorithm = algorithmById(id);

  test.each([
    ['der', 'der'],
    ['ieee-p1363', 'compact'],
  ] as const)('is that of another implementation, both ways, in %s', async (format, nobleFormat) => {
    const ours = await freshKey(algorithm);
    const options = { format: nobleFormat, lowS: false };
    const signature = await ours.engine.sign(MESSAGE, { format });
    const jwk = createPublicKey({ key: Buffer.from(ours.publicKey), format: 'der', type: 'spki' }).export({
      format: 'jwk',
    });
    const point = Buffer.concat([
      Buffer.of(4),
      Buffer.from(jwk.x ?? '', 'base64url'),
      Buffer.from(jwk.y ?? '', 'base64url'),
    ]);
    expect(noble.verify(signature, MESSAGE, point, options)).toBe(true);
    expect(noble.verify(signature, OTHER, point, options)).toBe(false);

    const { secretKey, publicKey } = noble.keygen();
    const raw = Buffer.from(noble.Point.fromBytes(publicKey).toBytes(false));
    const half = (raw.length - 1) / 2;
    const [x, y] = [raw.subarray(1, 1 + half), raw.subarray(1 + half)].map((part) => part.toString('base64url'));
    const key = createPublicKey({ format: 'jwk', key: { kty: 'EC', crv, x: x ?? '', y: y ?? '' } });
    const verifier = signatureEngine(algorithm, key, key);
    const foreign = noble.sign(MESSAGE, secretKey, options);
    expect(await verifier.verify(MESSAGE, foreign, { format })).toBe(true);
    expect(await verifier.verify(OTHER, foreign, { format })).toBe(false);
  });
});

test('Ed25519 is that of another implementation, both ways and bit for bit', async () => {
  const algorithm = algorithmById('ed25519');
  const ours = await freshKey(algorithm);
  const signature = await ours.engine.sign(MESSAGE, {});
  expect(ed25519.verify(signature, MESSAGE, rawPublic(ours.publicKey))).toBe(true);
  expect(Buffer.from(ed25519.sign(MESSAGE, ours.material.key.export({ format: 'raw-private' })))).toEqual(
    Buffer.from(signature),
  );

  const { secretKey, publicKey } = ed25519.keygen();
  const key = fromRaw(publicKey, 'ed25519');
  const verifier = signatureEngine(algorithm, key, key);
  expect(await verifier.verify(MESSAGE, ed25519.sign(MESSAGE, secretKey), {})).toBe(true);
  expect(await verifier.verify(OTHER, ed25519.sign(MESSAGE, secretKey), {})).toBe(false);
});

test('X25519 agrees with another implementation', async () => {
  const ours = await freshKey(algorithmById('x25519'));
  const { secretKey, publicKey } = x25519.keygen();
  const peer = fromRaw(publicKey, 'x25519').export({ format: 'der', type: 'spki' });
  const theirs = x25519.getSharedSecret(secretKey, rawPublic(ours.publicKey));
  expect(Buffer.from(await ours.engine.agree(peer))).toEqual(Buffer.from(theirs));
});

test('ECDH with P-256 agrees with another implementation', async () => {
  const ours = await freshKey(algorithmById('ecdh-p256'));
  const { secretKey, publicKey } = p256.keygen();
  const raw = Buffer.from(p256.Point.fromBytes(publicKey).toBytes(false)).toString('hex');
  const [x, y] = [raw.slice(2, 66), raw.slice(66)].map((part) => Buffer.from(part, 'hex').toString('base64url'));
  const jwk = { kty: 'EC', crv: 'P-256', x: x ?? '', y: y ?? '' };
  const peer = createPublicKey({ format: 'jwk', key: jwk }).export({ format: 'der', type: 'spki' });
  const own = createPrivateKey(ours.material.key.export({ format: 'pem', type: 'pkcs8' })).export({ format: 'jwk' });
  const point = Buffer.concat([
    Buffer.of(4),
    Buffer.from(own.x ?? '', 'base64url'),
    Buffer.from(own.y ?? '', 'base64url'),
  ]);
  const theirs = p256.getSharedSecret(secretKey, point).subarray(1);
  expect(Buffer.from(await ours.engine.agree(peer))).toEqual(Buffer.from(theirs));
});
