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
import { derFromP1363, p1363FromDer } from './ecdsa-encoding.ts';
import type { KeyEngine, SignatureHash, SignatureOptions } from './engine.ts';
import { type PkeyParameters, signDigest, verifyDigest } from './openssl-pkey.ts';

/** FIPS 204, algorithm 2, line 1; FIPS 205, algorithm 22, line 1. */
const MAX_CONTEXT_BYTES = 255;
const DIGEST_BYTES: Readonly<Record<SignatureHash, number>> = { sha256: 32, sha384: 48, sha512: 64 };
const COORDINATE_BYTES = { prime256v1: 32, secp384r1: 48 } as const;

/**
 * Signatures of every family over the message itself, which is hashed here: Ed25519, ECDSA with the digest of its
 * curve, RSA-PSS and PKCS#1 v1.5, ML-DSA and SLH-DSA pure and hedged. Those that are slow run on the thread pool. ECDSA and RSA
 * also sign a digest, at once.
 */
export function signatureEngine(
  algorithm: Algorithm,
  privateKey: KeyObject,
  publicKey: KeyObject,
): Required<Pick<KeyEngine, 'sign' | 'verify'>> {
  const slow = isSlow(algorithm, 'sign');
  return {
    sign: (data, options) => {
      checkSignatureOptions(algorithm, data, options);
      if (options.messageType === 'digest') {
        const signature = signDigest(privateKey, data, pkeyParameters(algorithm, options));
        return options.format === 'ieee-p1363' ? p1363FromDer(signature, coordinateBytes(algorithm)) : signature;
      }
      const digest = signatureHash(algorithm, options) ?? null;
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
  const slow = isSlow(algorithm, 'verify');
  const modulusBytes = Math.ceil((publicKey.asymmetricKeyDetails?.modulusLength ?? 0) / 8);
  return {
    verify: (data, signature, options) => {
      checkSignatureOptions(algorithm, data, options);
      // RFC 8017, 8.1.2, step 1. OpenSSL also takes a PSS signature without its leading zeros, which is another spelling of it.
      if (algorithm.family === 'rsa' && signature.length !== modulusBytes) return false;
      if (options.messageType === 'digest') {
        const isP1363 = options.format === 'ieee-p1363';
        if (isP1363 && signature.length !== 2 * coordinateBytes(algorithm)) return false;
        const encoded = isP1363 ? derFromP1363(signature) : signature;
        return verifyDigest(publicKey, data, encoded, pkeyParameters(algorithm, options));
      }
      const digest = signatureHash(algorithm, options) ?? null;
      const input: VerifyKeyObjectInput = { key: publicKey, ...nodeOptions(algorithm, options) };
      if (!slow) return verify(digest, data, input, signature);
      return new Promise((resolve, reject) => {
        verify(digest, data, input, signature, (error, valid) => (error === null ? resolve(valid) : reject(error)));
      });
    },
  };
}

/** What a signature with these options hashes with; `undefined` for algorithms that do that themselves. */
export function signatureHash(algorithm: Algorithm, options: SignatureOptions): SignatureHash | undefined {
  const { digest } = algorithm;
  return options.hash ?? (digest === 'sha3-256' ? undefined : digest);
}

/**
 * Checks the options against the algorithm: Node ignores some that do not apply and takes others (a context on Ed25519)
 * as a wish for another scheme.
 *
 * @throws KmsError `BAD_REQUEST` for options that the algorithm does not have, and for a digest of another length than they say.
 */
export function checkSignatureOptions(algorithm: Algorithm, data: Uint8Array, options: SignatureOptions): void {
  const { context, format, scheme, hash, messageType } = options;
  if (context !== undefined && context.length > 0) {
    if (algorithm.signatureContext === undefined)
      throw badRequest('context', `${algorithm.standardName} signatures have no context`);
    if (context.length > MAX_CONTEXT_BYTES) throw badRequest('context', 'a signature context has at most 255 bytes');
  }
  if (format !== undefined && algorithm.family !== 'ecdsa')
    throw badRequest('format', 'only ECDSA signatures have a format');
  if (scheme !== undefined && algorithm.family !== 'rsa')
    throw badRequest('scheme', 'only RSA signatures have a scheme');
  const hashes = algorithm.family === 'ecdsa' || algorithm.family === 'rsa';
  if (hash !== undefined && !hashes) throw badRequest('hash', `${algorithm.standardName} has no choice of a hash`);
  if (messageType !== 'digest') return;
  if (!hashes) throw badRequest('messageType', REASONS_AGAINST_DIGESTS[algorithm.family] ?? NO_DIGESTS);
  const name = signatureHash(algorithm, options);
  if (name !== undefined && data.length !== DIGEST_BYTES[name])
    throw badRequest('data', `a digest of ${name} has ${DIGEST_BYTES[name]} bytes`);
}

const NO_DIGESTS = 'only ECDSA and RSA sign a digest';
const REASONS_AGAINST_DIGESTS: Partial<Readonly<Record<Algorithm['family'], string>>> = {
  eddsa: `${NO_DIGESTS}: Ed25519 signs messages, and Ed25519ph, which would sign a digest, is not supported`,
  'ml-dsa': `${NO_DIGESTS}: ML-DSA signs messages, and neither HashML-DSA nor an external mu is supported`,
  'slh-dsa': `${NO_DIGESTS}: SLH-DSA signs messages, and HashSLH-DSA is not supported`,
};

function nodeOptions(algorithm: Algorithm, options: SignatureOptions): Omit<SignKeyObjectInput, 'key'> {
  if (algorithm.family === 'ecdsa') return { dsaEncoding: options.format ?? 'der' };
  if (algorithm.family === 'rsa') {
    return options.scheme === 'pkcs1-v1_5'
      ? { padding: constants.RSA_PKCS1_PADDING }
      : { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
  }
  return options.context !== undefined && options.context.length > 0 ? { context: options.context } : {};
}

/** The hash goes first: a padding is checked against it, and a FIPS provider does not take PSS with the one that OpenSSL starts with. */
function pkeyParameters(algorithm: Algorithm, options: SignatureOptions): PkeyParameters {
  const digest = ['digest', signatureHash(algorithm, options) ?? 'sha256'] as const;
  if (algorithm.family === 'ecdsa') return [digest];
  if (options.scheme === 'pkcs1-v1_5') return [digest, ['rsa_padding_mode', 'pkcs1']];
  return [digest, ['rsa_padding_mode', 'pss'], ['rsa_pss_saltlen', 'digest']];
}

function coordinateBytes({ form }: Algorithm): number {
  return form.kind === 'ec' ? COORDINATE_BYTES[form.namedCurve] : 0;
}
