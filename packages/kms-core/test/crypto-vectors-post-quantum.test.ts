import { createPrivateKey, createPublicKey, createSecretKey } from 'node:crypto';
import { hex, loadVectors, text, type Vector } from '@qnsp/test-vectors';
import { describe, expect, test } from 'vitest';
import { resolveAlgorithm } from '../src/algorithms/resolve.ts';
import { mlKem, xWing, xWingPublicKey } from '../src/engines/kem.ts';
import { signatureEngine } from '../src/engines/signature-engine.ts';
import { softwareEngine } from '../src/engines/software-engine.ts';
import { complete, failure, flipBit } from './crypto-samples.ts';

/** Node's name of a parameter set. Its types name each set alone; at run time they are one call. */
const keyType = (vector: Vector) => text(vector, 'parameterSet').toLowerCase() as 'ml-dsa-65';

function pairFromSeed(vector: Vector, seed: Buffer) {
  const key = createPrivateKey({ key: seed, format: 'raw-seed', asymmetricKeyType: keyType(vector) });
  return { key, publicKey: createPublicKey(key) };
}

describe('ML-KEM', () => {
  test.each(loadVectors('ml-kem-keygen-acvp').vectors)('$parameterSet $id: the seed gives the key pair', (vector) => {
    const { publicKey } = pairFromSeed(vector, Buffer.concat([hex(vector, 'd'), hex(vector, 'z')]));
    expect(publicKey.export({ format: 'raw-public' })).toEqual(hex(vector, 'publicKey'));
  });

  test.each(loadVectors('ml-kem-decapsulation-kat').vectors)('$parameterSet $id: decapsulation', (vector) => {
    const { key, publicKey } = pairFromSeed(vector, Buffer.concat([hex(vector, 'd'), hex(vector, 'z')]));
    expect(publicKey.export({ format: 'raw-public' })).toEqual(hex(vector, 'publicKey'));
    const kem = mlKem(key, publicKey);
    expect(kem.decapsulate(hex(vector, 'ciphertext'))).toEqual(hex(vector, 'sharedSecret'));
    expect(kem.decapsulate(hex(vector, 'rejectedCiphertext'))).toEqual(hex(vector, 'rejectedSecret'));
    expect(() => kem.decapsulate(hex(vector, 'ciphertext').subarray(1))).toThrow(failure('DECRYPT_FAILED'));
  });
});

describe('X-Wing gives the answers of its draft', () => {
  test.each(loadVectors('x-wing-draft').vectors)('$id', async (vector) => {
    const seed = hex(vector, 'seed');
    expect(xWingPublicKey(seed)).toEqual(hex(vector, 'publicKey'));
    expect(xWing(seed).decapsulate(hex(vector, 'ciphertext'))).toEqual(hex(vector, 'sharedSecret'));
    const engine = softwareEngine(resolveAlgorithm('X-Wing'), { key: createSecretKey(seed), publicKey: null });
    expect(await engine.decapsulate?.(hex(vector, 'ciphertext'))).toEqual(hex(vector, 'sharedSecret'));
  });
});

describe('ML-DSA', () => {
  test.each(loadVectors('ml-dsa-keygen-acvp').vectors)('$parameterSet $id: the seed gives the key pair', (vector) => {
    const { publicKey } = pairFromSeed(vector, hex(vector, 'seed'));
    expect(publicKey.export({ format: 'raw-public' })).toEqual(hex(vector, 'publicKey'));
  });

  test.each(loadVectors('ml-dsa-verification-kat').vectors)(
    '$parameterSet $id: verification with context',
    async (vector) => {
      const pair = pairFromSeed(vector, hex(vector, 'seed'));
      expect(pair.publicKey.export({ format: 'raw-public' })).toEqual(hex(vector, 'publicKey'));
      const engine = complete(softwareEngine(resolveAlgorithm(text(vector, 'parameterSet')), pair));
      const [message, context, signature] = [hex(vector, 'message'), hex(vector, 'context'), hex(vector, 'signature')];
      expect(await engine.verify(message, signature, { context })).toBe(true);
      expect(await engine.verify(message, signature, {})).toBe(false);
      expect(await engine.verify(message, signature, { context: flipBit(context, 5) })).toBe(false);
      expect(await engine.verify(flipBit(message, 0), signature, { context })).toBe(false);
      expect(await engine.verify(message, flipBit(signature, 400), { context })).toBe(false);
    },
  );
});

describe('SLH-DSA gives the verdicts of the NIST ACVP', () => {
  test.each(loadVectors('slh-dsa-verification-acvp').vectors)('$parameterSet $id is $valid', async (vector) => {
    const key = hex(vector, 'publicKey');
    const publicKey = createPublicKey({ key, format: 'raw-public', asymmetricKeyType: keyType(vector) });
    const engine = signatureEngine(resolveAlgorithm(text(vector, 'parameterSet')), publicKey, publicKey);
    const [message, context] = [hex(vector, 'message'), hex(vector, 'context')];
    const signature = Buffer.from(text(vector, 'signatureBase64'), 'base64');
    expect(await engine.verify(message, signature, { context })).toBe(vector['valid']);
    expect(await engine.verify(message, flipBit(signature, 99), { context })).toBe(false);
  });

  test('for every parameter set', () => {
    const sets = loadVectors('slh-dsa-verification-acvp').vectors.map((vector) => text(vector, 'parameterSet'));
    expect(new Set(sets).size).toBe(12);
  });
});
