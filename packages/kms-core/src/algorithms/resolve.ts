import { badRequest, KmsError } from '../errors/kms-error.ts';
import { ALGORITHMS, type Algorithm, type KeyPurpose, PURPOSE_OPERATIONS } from './registry.ts';

const bySpelling = new Map<string, Algorithm>();
const byId = new Map<string, Algorithm>();
for (const algorithm of ALGORITHMS) {
  byId.set(algorithm.id, algorithm);
  for (const spelling of [algorithm.id, algorithm.standardName, ...(algorithm.spellings ?? [])]) {
    const name = normalise(spelling);
    const taken = bySpelling.get(name);
    if (taken !== undefined && taken !== algorithm) {
      throw new Error(`the spelling ${spelling} names both ${taken.id} and ${algorithm.id}`);
    }
    bySpelling.set(name, algorithm);
  }
}

function normalise(name: string): string {
  return name
    .toLowerCase()
    .replaceAll('+', 'plus')
    .replaceAll(/[\s_./-]/g, '');
}

/**
 * The registry row of a name in any spelling: the platform id, the standard's name or a usual alias, in any case.
 *
 * @throws KmsError `BAD_REQUEST` when no algorithm has this name.
 * @example
 * import { resolveAlgorithm } from '@qnsp/kms-core';
 * console.log(resolveAlgorithm('ML-KEM-768').id); // kyber-768
 */
export function resolveAlgorithm(name: string): Algorithm {
  const algorithm = bySpelling.get(normalise(name));
  if (algorithm === undefined) {
    throw badRequest(
      'algorithm',
      `unknown algorithm; the known ones are ${ALGORITHMS.map((row) => row.id).join(', ')}`,
    );
  }
  return algorithm;
}

/** The row of a platform id that the KMS itself wrote. */
export function algorithmById(id: string): Algorithm {
  const algorithm = byId.get(id);
  if (algorithm === undefined) {
    throw new KmsError('INTERNAL_ERROR', `The stored algorithm ${id} is not one that this version knows.`);
  }
  return algorithm;
}

/**
 * The post-quantum algorithm that `upgrade` moves a key to. Symmetric algorithms go to their 256-bit default, which
 * Grover's algorithm leaves strong enough; signatures go to ML-DSA-65 and public-key encryption to ML-KEM-768. What is post-quantum and
 * at least as strong already stays what it is.
 *
 * @throws KmsError `BAD_REQUEST` for key agreement, which has no post-quantum algorithm of the same shape.
 */
export function postQuantumDefault(algorithm: Algorithm, purpose: KeyPurpose): Algorithm {
  switch (algorithm.family) {
    case 'aead':
    case 'legacy-cipher':
      return algorithmById('aes-256-gcm');
    case 'mac':
      return algorithm;
    case 'ml-dsa':
      return algorithm.id === 'dilithium-5' ? algorithm : algorithmById('dilithium-3');
    case 'slh-dsa':
      return algorithm;
    case 'eddsa':
    case 'ecdsa':
      return algorithmById('dilithium-3');
    case 'rsa':
      return algorithmById(PURPOSE_OPERATIONS[purpose].includes('verify') ? 'dilithium-3' : 'kyber-768');
    case 'ml-kem':
      return algorithm.id === 'kyber-1024' ? algorithm : algorithmById('kyber-768');
    case 'hybrid-kem':
      return algorithm;
    case 'key-agreement':
      throw badRequest('algorithm', 'key agreement has no post-quantum successor; create a KEM key instead');
  }
}
