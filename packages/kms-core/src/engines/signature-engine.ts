import {
  constants,
  type KeyObject,
  sign,
  type SignKeyObjectInput,
  verify,
  type VerifyKeyObjectInput,
} from 'node:crypto';
import { isSlow } from '../algorithms/costs.ts';
import type { Algorithm } from '../algorithms/registry.ts';
import { badRequest } from '../errors/kms-error.ts';
import type { KeyEngine, SignatureOptions } from './engine.ts';

/** FIPS 204, algorithm 2, line 1; FIPS 205, algorithm 22, line 1. */
const MAX_CONTEXT_BYTES = 255;

/**
 * Signatures of every family over the message itself, which is hashed here: Ed25519, ECDSA with the digest of its
 * curve, RSA-PSS and PKCS#1 v1.5, ML-DSA and SLH-DSA pure and hedged. Those that are slow run on the thread pool.
 */
export function signatureEngine(
  algorithm: Algorithm,
  privateKey: KeyObject,
  publicKey: KeyObject,
): Required<Pick<KeyEngine, 'sign' | 'verify'>> {
  const digest = algorithm.digest ?? null;
  const slow = isSlow(algorithm, 'sign');
  return {
    sign: (data, options) => {
      const input: SignKeyObjectInput = { key: privateKey, ...nodeOptions(algorithm, options) };
      if (!slow) return sign(digest, data, input);
      return new Promise((resolve, reject) => {
        sign(digest, data, input, (error, signature) => (error === null ? resolve(signature) : reject(error)));
      });
    },
    ...signatureVerifier(algorithm, publicKey),
  };
}

/** The public half of the engine, for private keys that are elsewhere. */
export function signatureVerifier(algorithm: Algorithm, publicKey: KeyObject): Required<Pick<KeyEngine, 'verify'>> {
  const digest = algorithm.digest ?? null;
  const slow = isSlow(algorithm, 'verify');
  const modulusBytes = Math.ceil((publicKey.asymmetricKeyDetails?.modulusLength ?? 0) / 8);
  return {
    verify: (data, signature, options) => {
      const input: VerifyKeyObjectInput = { key: publicKey, ...nodeOptions(algorithm, options) };
      // RFC 8017, 8.1.2, step 1. OpenSSL also takes a PSS signature without its leading zeros, which is another spelling of it.
      if (algorithm.family === 'rsa' && signature.length !== modulusBytes) return false;
      if (!slow) return verify(digest, data, input, signature);
      return new Promise((resolve, reject) => {
        verify(digest, data, input, signature, (error, valid) => (error === null ? resolve(valid) : reject(error)));
      });
    },
  };
}

/** @throws KmsError `BAD_REQUEST` for options that the algorithm does not have. */
export function checkSignatureOptions(algorithm: Algorithm, options: SignatureOptions): void {
  nodeOptions(algorithm, options);
}

/**
 * Checks the options against the algorithm: Node ignores some that do not apply and takes others (a context on Ed25519)
 * as a wish for another scheme.
 */
function nodeOptions(algorithm: Algorithm, options: SignatureOptions): Omit<SignKeyObjectInput, 'key'> {
  if (options.context !== undefined && options.context.length > 0) {
    if (algorithm.signatureContext === undefined)
      throw badRequest('context', `${algorithm.standardName} signatures have no context`);
    if (options.context.length > MAX_CONTEXT_BYTES)
      throw badRequest('context', 'a signature context has at most 255 bytes');
  }
  if (options.format !== undefined && algorithm.family !== 'ecdsa')
    throw badRequest('format', 'only ECDSA signatures have a format');
  if (options.scheme !== undefined && algorithm.family !== 'rsa')
    throw badRequest('scheme', 'only RSA signatures have a scheme');
  if (algorithm.family === 'ecdsa') return { dsaEncoding: options.format ?? 'der' };
  if (algorithm.family === 'rsa') {
    return options.scheme === 'pkcs1-v1_5'
      ? { padding: constants.RSA_PKCS1_PADDING }
      : { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
  }
  return options.context !== undefined && options.context.length > 0 ? { context: options.context } : {};
}
