import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import type { Algorithm } from '../algorithms/registry.ts';
import { badRequest } from '../errors/kms-error.ts';
import { X_WING_SEED_BYTES, xWingPublicKey } from './kem.ts';
import { namesCurve } from './named-curve.ts';
import { pairwiseTest } from './pairwise-test.ts';
import { softwareEngine } from './software-engine.ts';
import { type GeneratedMaterial, loadMaterial } from './software-material.ts';
import { xWingSpki } from './x-wing-spki.ts';

/**
 * Checks imported material against the algorithm that it is declared for: the exact length of a secret key or seed; for
 * a pair a PKCS #8 private key (DER) of the right type, size and named curve whose halves belong together.
 *
 * @param material is taken over: what comes back is to be wiped instead
 * @throws KmsError `BAD_REQUEST` with the reason.
 */
export async function acceptImported(algorithm: Algorithm, material: Uint8Array): Promise<GeneratedMaterial> {
  const { form } = algorithm;
  if (form.kind === 'secret' || form.kind === 'x-wing') {
    const bytes = form.kind === 'secret' ? form.bytes : X_WING_SEED_BYTES;
    if (material.length !== bytes) throw refuse(`${algorithm.id} material has ${bytes} bytes, not ${material.length}`);
    return { secret: material, publicKey: form.kind === 'secret' ? null : xWingSpki(xWingPublicKey(material)) };
  }
  const key = parsePrivateKey(material);
  const problem = mismatch(algorithm, key, material);
  if (problem !== undefined) throw refuse(problem);
  const secret = key.export({ format: 'der', type: 'pkcs8' });
  try {
    await pairwiseTest(softwareEngine(algorithm, loadMaterial(algorithm, secret)));
  } catch {
    secret.fill(0);
    throw refuse('the private key fails its pairwise consistency test');
  }
  return { secret, publicKey: createPublicKey(key).export({ format: 'der', type: 'spki' }) };
}

function parsePrivateKey(material: Uint8Array): KeyObject {
  try {
    return createPrivateKey({
      key: Buffer.from(material.buffer, material.byteOffset, material.byteLength),
      format: 'der',
      type: 'pkcs8',
    });
  } catch {
    throw refuse('the material is not a private key as PKCS #8 in DER');
  }
}

function mismatch({ form, id }: Algorithm, key: KeyObject, material: Uint8Array): string | undefined {
  const details = key.asymmetricKeyDetails ?? {};
  switch (form.kind) {
    case 'rsa':
      if (key.asymmetricKeyType !== 'rsa') return `${id} needs an RSA key, not ${key.asymmetricKeyType}`;
      if (details.modulusLength !== form.modulusBits)
        return `${id} needs a modulus of ${form.modulusBits} bits, not ${details.modulusLength}`;
      // FIPS 186-5, section A.1.1: 2^16 < e < 2^256, odd.
      return (details.publicExponent ?? 0n) > 65_536n ? undefined : 'the public exponent must be greater than 65536';
    case 'ec':
      if (key.asymmetricKeyType !== 'ec') return `${id} needs an elliptic curve key, not ${key.asymmetricKeyType}`;
      if (!namesCurve(material)) return `${id} needs the named curve ${form.namedCurve}, not explicit parameters`;
      return details.namedCurve === form.namedCurve
        ? undefined
        : `${id} needs the named curve ${form.namedCurve}, not ${details.namedCurve}`;
    case 'node-key':
      return key.asymmetricKeyType === form.keyType
        ? undefined
        : `${id} needs a ${form.keyType} key, not ${key.asymmetricKeyType}`;
    default:
      return undefined;
  }
}

function refuse(reason: string) {
  return badRequest('wrappedMaterial', reason);
}
