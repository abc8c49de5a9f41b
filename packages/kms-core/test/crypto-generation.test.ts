import { createPublicKey } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { ALGORITHMS, type Algorithm } from '../src/algorithms/registry.ts';
import { algorithmById } from '../src/algorithms/resolve.ts';
import { pairwiseTest } from '../src/engines/pairwise-test.ts';
import { softwareEngine } from '../src/engines/software-engine.ts';
import { generateMaterial, loadMaterial } from '../src/engines/software-material.ts';
import { failure, freshKey } from './crypto-samples.ts';
import { checkedSecret } from './generated-material.ts';
import { signsSlowly } from './slow-signers.ts';

/** The small sets of SLH-DSA take up to a second for each signature, RSA-4096 for each key. */
const TIMEOUT = 120_000;

describe.each(ALGORITHMS.filter((row) => !signsSlowly(row)))('$id', (algorithm) => {
  test('makes different keys that load and pass their pairwise test', { timeout: TIMEOUT }, async () => {
    const isSlow = algorithm.family === 'slh-dsa' || algorithm.id === 'rsa-4096';
    const secrets = await Promise.all(Array.from({ length: isSlow ? 2 : 5 }, () => checkedSecret(algorithm)));
    expect(new Set(secrets).size).toBe(secrets.length);
  });
});

describe('the generator that is given', () => {
  const usesOpenSsl = ({ family, form }: Algorithm) =>
    form.kind === 'rsa' || form.kind === 'ec' || family === 'slh-dsa';

  test.each(ALGORITHMS.filter((row) => !usesOpenSsl(row)))('decides every bit of a $id key', async (row) => {
    const asked: number[] = [];
    const make = (byte: number) =>
      generateMaterial(row, (bytes) => {
        asked.push(bytes);
        return Buffer.alloc(bytes, byte);
      });
    const [one, same, other] = [await make(1), await make(1), await make(2)];
    expect(same).toEqual(one);
    expect(other.secret).not.toEqual(one.secret);
    expect(Math.min(...asked)).toBeGreaterThanOrEqual(16);
  });

  test.each([
    ['kyber-768', 64, 'raw-seed'],
    ['dilithium-3', 32, 'raw-seed'],
    ['ed25519', 32, 'raw-private'],
    ['x25519', 32, 'raw-private'],
  ] as const)('gives %s its seed of %i bytes', async (id, bytes, format) => {
    const seed = Buffer.from(Array.from({ length: bytes }, (_, index) => index));
    const { secret } = await generateMaterial(algorithmById(id), () => Buffer.from(seed));
    const { key } = loadMaterial(algorithmById(id), secret);
    expect(key.export({ format })).toEqual(seed);
  });
});

test.each(ALGORITHMS.filter((row) => row.form.kind === 'secret'))(
  '$id has a secret as long as its row says',
  async (row) => {
    const { secret } = await generateMaterial(row);
    expect(secret.length).toBe(row.form.kind === 'secret' ? row.form.bytes : 0);
  },
);

test('secret keys take their bytes from the given generator', async () => {
  const { secret } = await generateMaterial(algorithmById('aes-256-gcm'), (bytes) => Buffer.alloc(bytes, 9));
  expect(secret).toEqual(Buffer.alloc(32, 9));
});

test.each([
  ['ecdsa-p256', 'prime256v1'],
  ['ecdsa-p384', 'secp384r1'],
  ['ecdh-p256', 'prime256v1'],
])('%s keys are on the curve %s', async (id, namedCurve) => {
  const { publicKey } = await freshKey(algorithmById(id));
  const key = createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'spki' });
  expect(key.asymmetricKeyDetails?.namedCurve).toBe(namedCurve);
});

test.each([2048, 3072, 4096])('RSA-%i keys have that modulus and the exponent 65537', async (bits) => {
  const { material } = await freshKey(algorithmById(`rsa-${bits}`));
  expect(material.key.asymmetricKeyDetails).toMatchObject({ modulusLength: bits, publicExponent: 65537n });
});

describe('the pairwise test', () => {
  const INTERNAL_ERROR = failure('INTERNAL_ERROR');

  test.each(['ed25519', 'ecdsa-p256', 'dilithium-3', 'rsa-2048', 'kyber-768'])(
    'refuses a key of %s whose halves do not belong together',
    { timeout: TIMEOUT },
    async (id) => {
      const algorithm = algorithmById(id);
      const [one, two] = [await freshKey(algorithm), await freshKey(algorithm)];
      const mixed = softwareEngine(algorithm, { key: one.material.key, publicKey: two.material.publicKey });
      await expect(pairwiseTest(mixed)).rejects.toThrow(INTERNAL_ERROR);
    },
  );

  test('refuses a verifier that says no, and a cipher that gives other bytes back', async () => {
    await expect(pairwiseTest({ sign: () => Buffer.alloc(8), verify: () => false })).rejects.toThrow(INTERNAL_ERROR);
    await expect(pairwiseTest({ seal: () => Buffer.alloc(8), open: () => Buffer.alloc(32) })).rejects.toThrow(
      INTERNAL_ERROR,
    );
  });
});
