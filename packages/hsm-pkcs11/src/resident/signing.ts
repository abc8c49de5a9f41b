import { hash } from 'node:crypto';
import { type Algorithm, KmsError, type SignatureOptions } from '@qnsp/kms-core';
import type { SignatureHash } from '@qnsp/kms-core/engines';
import { signatureHash } from '@qnsp/kms-core/internal';
import { CKM } from '../protocol/cryptoki.ts';
import type { MechanismParameters } from '../protocol/messages.ts';

/** CKG_MGF1_SHA256 */
export const MGF1_SHA256 = 2;

/** What tokens know of a hash: CKM_*, CKG_MGF1_*, its length, and the DER of DigestInfo up to the digest (RFC 8017, section 9.2, note 1). */
const HASHES: Readonly<
  Record<
    SignatureHash,
    { readonly mechanism: number; readonly mgf: number; readonly bytes: number; readonly digestInfo: string }
  >
> = {
  sha256: { mechanism: CKM.sha256, mgf: MGF1_SHA256, bytes: 32, digestInfo: '3031300d060960864801650304020105000420' },
  sha384: { mechanism: CKM.sha384, mgf: 3, bytes: 48, digestInfo: '3041300d060960864801650304020205000430' },
  sha512: { mechanism: CKM.sha512, mgf: 4, bytes: 64, digestInfo: '3051300d060960864801650304020305000440' },
};

/** What a token is asked to sign, and how. Messages are hashed here. */
export interface SigningInput {
  readonly mechanism: number;
  readonly parameters: MechanismParameters | null;
  readonly data: Uint8Array;
}

/** The same signatures as the software engine makes of the same options. */
export function signingInput(algorithm: Algorithm, data: Uint8Array, options: SignatureOptions): SigningInput {
  switch (algorithm.family) {
    case 'ecdsa':
      return { mechanism: CKM.ecdsa, parameters: null, data: digestOf(algorithm, data, options) };
    case 'eddsa':
      return { mechanism: CKM.eddsa, parameters: null, data };
    case 'rsa': {
      const digest = digestOf(algorithm, data, options);
      const { mechanism, mgf, bytes, digestInfo } = HASHES[hashOf(algorithm, options)];
      if (options.scheme === 'pkcs1-v1_5')
        return {
          mechanism: CKM.rsaPkcs,
          parameters: null,
          data: Buffer.concat([Buffer.from(digestInfo, 'hex'), digest]),
        };
      const parameters = { kind: 'pss', hash: mechanism, mgf, saltBytes: bytes } as const;
      return { mechanism: CKM.rsaPkcsPss, parameters, data: digest };
    }
    default:
      throw new KmsError('INTERNAL_ERROR', `${algorithm.standardName} keys in an HSM do not sign.`);
  }
}

function hashOf(algorithm: Algorithm, options: SignatureOptions): SignatureHash {
  return signatureHash(algorithm, options) ?? 'sha256';
}

function digestOf(algorithm: Algorithm, data: Uint8Array, options: SignatureOptions): Uint8Array {
  return options.messageType === 'digest' ? data : hash(hashOf(algorithm, options), data, 'buffer');
}
