import { describe, expect, test } from 'vitest';
import { costOfUse, costOfWork, type KeyWork } from '../src/algorithms/costs.ts';
import { CRYPTO_OPERATIONS } from '../src/algorithms/crypto-operation.ts';
import { ALGORITHMS } from '../src/algorithms/registry.ts';
import { algorithmById } from '../src/algorithms/resolve.ts';
import { engineMethods } from './generated-material.ts';

const ALL_WORK: Readonly<Record<KeyWork, true>> = {
  generate: true,
  accept: true,
  seal: true,
  open: true,
  sign: true,
  verify: true,
  mac: true,
  verifyMac: true,
  encapsulate: true,
  decapsulate: true,
  agree: true,
};

describe('the costs of algorithms', () => {
  test.each(ALGORITHMS)('are stated for all that a key of $id does, and for nothing else', (algorithm) => {
    const stated = (Object.keys(ALL_WORK) as KeyWork[]).filter((work) => costOfWork(algorithm, work) !== undefined);
    const methods = engineMethods(algorithm).map((method) => (method === 'openLegacy' ? 'open' : method));
    const made = algorithm.importOnly ? ['accept'] : ['accept', 'generate'];
    expect(stated.toSorted()).toEqual([...made, ...methods].toSorted());
    for (const work of stated) {
      const cost = costOfWork(algorithm, work) ?? 0;
      expect(Number.isInteger(cost) && cost >= 1, work).toBe(true);
    }
  });

  test('are counted in seals with AES-256-GCM, and nothing is free', () => {
    expect(costOfUse(algorithmById('aes-256-gcm'), 'encrypt')).toBe(1);
    for (const algorithm of ALGORITHMS)
      for (const operation of CRYPTO_OPERATIONS) expect(costOfUse(algorithm, operation)).toBeGreaterThanOrEqual(1);
  });

  test('tell uses of a key apart', () => {
    const rsa = algorithmById('rsa-4096');
    expect(costOfUse(rsa, 'sign')).toBeGreaterThan(10 * costOfUse(rsa, 'verify'));
    expect(costOfUse(rsa, 'unwrap')).toBe(costOfUse(rsa, 'decrypt'));
    expect(costOfUse(algorithmById('sphincs-sha2-128s-simple'), 'sign')).toBeGreaterThanOrEqual(10_000);
  });
});
