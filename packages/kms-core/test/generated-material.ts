import { expect } from 'vitest';
import type { Algorithm } from '../src/algorithms/registry.ts';
import type { KeyEngine } from '../src/engines/engine.ts';
import { pairwiseTest } from '../src/engines/pairwise-test.ts';
import { softwareEngine } from '../src/engines/software-engine.ts';
import { generateMaterial, loadMaterial } from '../src/engines/software-material.ts';

/** What a version with this algorithm must be able to do. */
export function engineMethods(algorithm: Algorithm): readonly (keyof KeyEngine)[] {
  switch (algorithm.family) {
    case 'aead':
      return ['open', 'seal'];
    case 'legacy-cipher':
      return ['openLegacy'];
    case 'mac':
      return ['mac', 'verifyMac'];
    case 'eddsa':
    case 'ecdsa':
    case 'ml-dsa':
    case 'slh-dsa':
      return ['sign', 'verify'];
    case 'rsa':
      return ['open', 'seal', 'sign', 'verify'];
    case 'key-agreement':
      return ['agree'];
    case 'ml-kem':
    case 'hybrid-kem':
      return ['decapsulate', 'encapsulate', 'open', 'seal'];
  }
}

/** The material of a new key that could do what it must, after it was loaded as it would be from a seal. */
export async function checkedSecret(algorithm: Algorithm): Promise<string> {
  const { secret, publicKey } = await generateMaterial(algorithm);
  const material = loadMaterial(algorithm, secret);
  const engine = softwareEngine(algorithm, material);
  await pairwiseTest(engine);
  // The KDF of XAES makes the keys of several messages in one call.
  const together = algorithm.id === 'aes-256-gcm' ? ['openAll', 'sealAll'] : [];
  expect(Object.keys(engine).toSorted()).toEqual([...engineMethods(algorithm), ...together].toSorted());
  if (material.publicKey === null) expect(publicKey === null || algorithm.form.kind === 'x-wing').toBe(true);
  else expect(material.publicKey.export({ format: 'der', type: 'spki' })).toEqual(publicKey);
  return Buffer.from(secret).toString('hex');
}
