import { createHash } from 'node:crypto';
import { type Algorithm, KmsError, type SignatureOptions } from '@qnsp/kms-core';
import { CKM } from '../protocol/cryptoki.ts';
import type { MechanismParameters } from '../protocol/messages.ts';

/** CKG_MGF1_SHA256 */
export const MGF1_SHA256 = 2;
const SALT_BYTES = 32;
/** The DER of DigestInfo up to the digest of SHA-256 (RFC 8017, section 9.2, note 1). */
const DIGEST_INFO_SHA256 = Buffer.from('3031300d060960864801650304020105000420', 'hex');

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
      return { mechanism: CKM.ecdsa, parameters: null, data: digestOf(algorithm, data) };
    case 'eddsa':
      return { mechanism: CKM.eddsa, parameters: null, data };
    case 'rsa': {
      const digest = digestOf(algorithm, data);
      if (options.scheme === 'pkcs1-v1_5')
        return { mechanism: CKM.rsaPkcs, parameters: null, data: Buffer.concat([DIGEST_INFO_SHA256, digest]) };
      const parameters = { kind: 'pss', hash: CKM.sha256, mgf: MGF1_SHA256, saltBytes: SALT_BYTES } as const;
      return { mechanism: CKM.rsaPkcsPss, parameters, data: digest };
    }
    default:
      throw new KmsError('INTERNAL_ERROR', `${algorithm.standardName} keys in an HSM do not sign.`);
  }
}

function digestOf(algorithm: Algorithm, data: Uint8Array): Buffer {
  return createHash(algorithm.digest ?? 'sha256')
    .update(data)
    .digest();
}
