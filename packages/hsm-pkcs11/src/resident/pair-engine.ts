import type { HsmPrivateKey } from './private-key.ts';
import { createPublicKey } from 'node:crypto';
import type { Algorithm } from '@qnsp/kms-core';
import { type KeyEngine, signatureVerifier } from '@qnsp/kms-core/engines';
import { checkSignatureOptions } from '@qnsp/kms-core/internal';
import { hsmUnavailable } from '../connection/hsm-errors.ts';
import { ecdsaDer } from './ecdsa-der.ts';
import { hsmOaepEngine } from './oaep-engine.ts';
import { signingInput } from './signing.ts';

/** RSA of 4,096 bits. */
const MAX_SIGNATURE_BYTES = 512;

/**
 * A key pair whose private half is in an HSM. Public operations run here, and so does the check of each signature
 * before it is released.
 *
 * @param spki SubjectPublicKeyInfo in DER, as it was stored when the key was made
 */
export function hsmPairEngine(key: HsmPrivateKey, algorithm: Algorithm, spki: Uint8Array): KeyEngine {
  const publicKey = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  const verifier = signatureVerifier(algorithm, publicKey);
  const signing: Required<Pick<KeyEngine, 'sign' | 'verify'>> = {
    ...verifier,
    sign: async (data, options) => {
      checkSignatureOptions(algorithm, data, options);
      const input = signingInput(algorithm, data, options);
      const raw = await key.link.call({ op: 'sign', ref: key.ref, ...input, maxBytes: MAX_SIGNATURE_BYTES });
      const signature = algorithm.family === 'ecdsa' && options.format !== 'ieee-p1363' ? ecdsaDer(raw) : raw;
      if (!(await verifier.verify(data, signature, options)))
        throw hsmUnavailable(key.hsmId, 'it returned a signature that does not verify', 1000);
      return signature;
    },
  };
  return algorithm.family === 'rsa' ? { ...signing, ...hsmOaepEngine(key, publicKey) } : signing;
}
