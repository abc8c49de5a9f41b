import { constants, type KeyObject, type SignKeyObjectInput } from 'node:crypto';

/** How a kind of key signs: its name in a JWS and what `node:crypto` needs to know. */
export interface SignatureAlgorithm {
  /** RFC 9864 for Ed25519, RFC 7518 for ECDSA and RSA-PSS, draft-ietf-cose-dilithium for ML-DSA. */
  readonly name: string;
  readonly digest: string | null;
  readonly options: Omit<SignKeyObjectInput, 'key'>;
}

const PSS = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
const PS256: SignatureAlgorithm = { name: 'PS256', digest: 'sha256', options: PSS };
// RFC 7518, section 3.4: r and s concatenated.
const ECDSA = { dsaEncoding: 'ieee-p1363' } as const;
const BY_CURVE: Readonly<Record<string, SignatureAlgorithm>> = {
  prime256v1: { name: 'ES256', digest: 'sha256', options: ECDSA },
  secp384r1: { name: 'ES384', digest: 'sha384', options: ECDSA },
  secp521r1: { name: 'ES512', digest: 'sha512', options: ECDSA },
};
const BY_TYPE: Readonly<Record<string, SignatureAlgorithm>> = {
  ed25519: { name: 'Ed25519', digest: null, options: {} },
  'ml-dsa-44': { name: 'ML-DSA-44', digest: null, options: {} },
  'ml-dsa-65': { name: 'ML-DSA-65', digest: null, options: {} },
  'ml-dsa-87': { name: 'ML-DSA-87', digest: null, options: {} },
};
const SMALLEST_RSA_BITS = 2048;

/**
 * The one way in which a key signs checkpoints.
 *
 * @throws RangeError for a key that cannot: another type or curve, or RSA below 2,048 bits.
 */
export function signatureAlgorithmOf(key: KeyObject): SignatureAlgorithm {
  const type = key.asymmetricKeyType ?? 'secret';
  const { namedCurve, modulusLength = 0, hashAlgorithm } = key.asymmetricKeyDetails ?? {};
  if (type === 'rsa' || type === 'rsa-pss') {
    if (modulusLength < SMALLEST_RSA_BITS)
      throw new RangeError(`an RSA key needs at least ${SMALLEST_RSA_BITS} bits, this one has ${modulusLength}`);
    if (hashAlgorithm !== undefined && hashAlgorithm !== 'sha256')
      throw new RangeError(`an RSA-PSS key must be for SHA-256, this one is for ${hashAlgorithm}`);
    return PS256;
  }
  const found = type === 'ec' ? BY_CURVE[namedCurve ?? ''] : BY_TYPE[type];
  if (found !== undefined) return found;
  throw new RangeError(
    `a key of the type ${type}${namedCurve === undefined ? '' : ` (${namedCurve})`} cannot sign checkpoints; ` +
      'take Ed25519, EC P-256, P-384 or P-521, RSA, or ML-DSA-44, 65 or 87',
  );
}
