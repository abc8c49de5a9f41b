import type { Algorithm } from '../algorithms/registry.ts';
import { badRequest } from '../errors/kms-error.ts';
import { demandSecret } from '../key-material/imported-secret.ts';
import { readPrivateKey } from '../key-material/read-private-key.ts';
import { RefusedMaterial } from '../key-material/refused-material.ts';
import { demandPrimes } from '../key-material/rsa-key.ts';
import { demandKeyOf } from './key-of-algorithm.ts';
import { X_WING_SEED_BYTES, xWingPublicKey } from './kem.ts';
import { pairwiseTest } from './pairwise-test.ts';
import { softwareEngine } from './software-engine.ts';
import { type GeneratedMaterial, loadMaterial } from './software-material.ts';
import { xWingSpki } from './x-wing-spki.ts';

/**
 * Checks imported material against the algorithm that it is declared for: the length of a secret key or seed; for a pair a
 * PKCS #8 private key (DER) that satisfies the standard of its algorithm and whose halves belong together. What comes back
 * is the same key, in the form in which this service would have made it.
 *
 * @param material is taken over: what comes back is to be wiped instead
 * @throws KmsError `BAD_REQUEST` with the rule that is broken.
 */
export async function acceptImported(algorithm: Algorithm, material: Uint8Array): Promise<GeneratedMaterial> {
  try {
    return await accept(algorithm, material);
  } catch (error) {
    if (error instanceof RefusedMaterial) throw badRequest('wrappedMaterial', error.message);
    throw error;
  }
}

async function accept(algorithm: Algorithm, material: Uint8Array): Promise<GeneratedMaterial> {
  const { form } = algorithm;
  switch (form.kind) {
    case 'secret':
      demandSecret(material, form.imported ?? { minimumBytes: form.bytes, maximumBytes: form.bytes });
      return { secret: material, publicKey: null };
    case 'x-wing':
      demandSecret(material, { minimumBytes: X_WING_SEED_BYTES, maximumBytes: X_WING_SEED_BYTES });
      return { secret: material, publicKey: xWingSpki(xWingPublicKey(material)) };
    default:
      return acceptPair(algorithm, material);
  }
}

async function acceptPair(algorithm: Algorithm, material: Uint8Array): Promise<GeneratedMaterial> {
  const { key, publicKey, rsa } = readPrivateKey(material, (type, facts) =>
    demandKeyOf(algorithm, type, facts?.modulusBits),
  );
  if (rsa !== null) await demandPrimes(rsa);
  const secret = key.export({ format: 'der', type: 'pkcs8' });
  try {
    await pairwiseTest(softwareEngine(algorithm, loadMaterial(algorithm, secret)));
  } catch {
    secret.fill(0);
    // For SLH-DSA this is where a public half that is not the key's comes out: OpenSSL signs under whatever root is given.
    throw new RefusedMaterial('the private key fails its pairwise consistency test');
  }
  return { secret, publicKey: publicKey.export({ format: 'der', type: 'spki' }) };
}
