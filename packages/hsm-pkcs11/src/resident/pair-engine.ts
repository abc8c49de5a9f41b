import { createPublicKey, type KeyObject } from 'node:crypto';
import {
  type Algorithm,
  checkSignatureOptions,
  decryptFailed,
  type KeyEngine,
  KmsError,
  oaepMessageEngine,
  signatureVerifier,
} from '@qnsp/kms-core';
import { ChildFault } from '../connection/child-connection.ts';
import { hsmUnavailable } from '../connection/hsm-errors.ts';
import type { HsmLink } from '../connection/hsm-link.ts';
import { CKM } from '../protocol/cryptoki.ts';
import type { KeyRef } from '../protocol/messages.ts';
import { ecdsaDer } from './ecdsa-der.ts';
import { MGF1_SHA256, signingInput } from './signing.ts';

/** RSA of 4,096 bits. */
const MAX_SIGNATURE_BYTES = 512;

/**
 * A key pair whose private half is in an HSM. Public operations run here, and so does the check of each signature
 * before it is released.
 *
 * @param spki SubjectPublicKeyInfo in DER, as it was stored when the key was made
 */
export function hsmPairEngine(
  hsmId: string,
  link: HsmLink,
  ref: KeyRef,
  algorithm: Algorithm,
  spki: Uint8Array,
): KeyEngine {
  const publicKey = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  const verifier = signatureVerifier(algorithm, publicKey);
  const signing: Required<Pick<KeyEngine, 'sign' | 'verify'>> = {
    ...verifier,
    sign: async (data, options) => {
      checkSignatureOptions(algorithm, options);
      const input = signingInput(algorithm, data, options);
      const raw = await link.call({ op: 'sign', ref, ...input, maxBytes: MAX_SIGNATURE_BYTES });
      const signature = algorithm.family === 'ecdsa' && options.format !== 'ieee-p1363' ? ecdsaDer(raw) : raw;
      if (!(await verifier.verify(data, signature, options)))
        throw hsmUnavailable(hsmId, 'it gave a signature that does not verify', 1000);
      return signature;
    },
  };
  return algorithm.family === 'rsa' ? { ...signing, ...oaep(link, ref, publicKey) } : signing;
}

function oaep(link: HsmLink, ref: KeyRef, publicKey: KeyObject): Required<Pick<KeyEngine, 'seal' | 'open'>> {
  return oaepMessageEngine(publicKey, async (encrypted) => {
    try {
      return await link.call({
        op: 'decrypt',
        ref,
        mechanism: CKM.rsaPkcsOaep,
        parameters: { kind: 'oaep', hash: CKM.sha256, mgf: MGF1_SHA256 },
        ciphertext: encrypted,
        maxBytes: encrypted.length,
      });
    } catch (error) {
      // Tokens do not agree on what a wrong OAEP padding is called; whatever is no failure of the token is that.
      if (error instanceof KmsError && error.code === 'INTERNAL_ERROR' && isCkr(error)) throw decryptFailed(error);
      throw error;
    }
  });
}

function isCkr(error: KmsError): boolean {
  return error.cause instanceof ChildFault && error.cause.fault.type === 'ckr';
}
