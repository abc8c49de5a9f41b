import type { Algorithm } from '@qnsp/kms-core';
import { CKK, CKM } from '../protocol/cryptoki.ts';
import type { KeySpec, PairParameters } from '../protocol/messages.ts';
import { CURVES } from './curves.ts';

/** PrintableString "edwards25519": the curve name of PKCS #11 v3.0, section 2.3.5. */
const EDWARDS_25519 = Buffer.from('130c656477617264733235353139', 'hex');

const HMAC_MECHANISMS: Readonly<Record<NonNullable<Algorithm['digest']>, number>> = {
  sha256: CKM.sha256Hmac,
  sha384: CKM.sha384Hmac,
  sha512: CKM.sha512Hmac,
  'sha3-256': CKM.sha3x256Hmac,
};

/** How a token holds keys of an algorithm. */
export interface ResidentSupport {
  readonly spec: KeySpec;
  readonly generation: number;
  readonly pair: PairParameters | null;
  /** What using the key takes. */
  readonly mechanisms: readonly [number, ...number[]];
}

/** How tokens hold keys of this algorithm; null for those that PKCS #11 has no form for. */
export function residentSupport(algorithm: Algorithm): ResidentSupport | null {
  const { form } = algorithm;
  switch (algorithm.family) {
    case 'aead':
      return algorithm.suite === 3 || form.kind !== 'secret' ? null : aes(form.bytes);
    case 'mac':
      return form.kind !== 'secret' || algorithm.digest === undefined
        ? null
        : hmac(form.bytes, HMAC_MECHANISMS[algorithm.digest]);
    case 'ecdsa':
      return form.kind === 'ec'
        ? signing(CKK.ec, CKM.ecKeyPairGen, { kind: 'ec', curve: CURVES[form.namedCurve].parameters }, CKM.ecdsa)
        : null;
    case 'eddsa':
      return signing(CKK.ecEdwards, CKM.ecEdwardsKeyPairGen, { kind: 'ec', curve: EDWARDS_25519 }, CKM.eddsa);
    case 'rsa':
      return form.kind === 'rsa' ? rsa(form.modulusBits) : null;
    default:
      return null;
  }
}

/** Whether a token with these mechanisms can do all of it. */
export function supports(mechanisms: readonly number[], support: ResidentSupport): boolean {
  return [support.generation, ...support.mechanisms].every((mechanism) => mechanisms.includes(mechanism));
}

function aes(bytes: number): ResidentSupport {
  return {
    spec: { kind: 'secret', keyType: CKK.aes, bytes, usage: ['encrypt', 'decrypt'] },
    generation: CKM.aesKeyGen,
    pair: null,
    mechanisms: [CKM.aesGcm],
  };
}

function hmac(bytes: number, mechanism: number): ResidentSupport {
  return {
    spec: { kind: 'secret', keyType: CKK.genericSecret, bytes, usage: ['sign', 'verify'] },
    generation: CKM.genericSecretKeyGen,
    pair: null,
    mechanisms: [mechanism],
  };
}

function signing(keyType: number, generation: number, pair: PairParameters, mechanism: number): ResidentSupport {
  return {
    spec: { kind: 'private', keyType, bytes: null, usage: ['sign'] },
    generation,
    pair,
    mechanisms: [mechanism],
  };
}

function rsa(modulusBits: number): ResidentSupport {
  return {
    spec: { kind: 'private', keyType: CKK.rsa, bytes: null, usage: ['sign', 'decrypt'] },
    generation: CKM.rsaKeyPairGen,
    pair: { kind: 'rsa', modulusBits },
    mechanisms: [CKM.rsaPkcsPss, CKM.rsaPkcs, CKM.rsaPkcsOaep],
  };
}
