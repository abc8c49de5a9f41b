import type { KeyPurpose, SignatureOptions } from '@qnsp/kms-core';
import type { Algorithm } from '@qnsp/kms-core/ports';
import { algorithmById } from '@qnsp/kms-core/internal';

/** What a key is for. */
export type KeyUsage =
  | 'ENCRYPT_DECRYPT'
  | 'SIGN_VERIFY'
  | 'GENERATE_VERIFY_MAC'
  | 'KEY_AGREEMENT'
  | 'ENCAPSULATE_DECAPSULATE';

/** Where metadata lists the algorithms of a key with a usage, and the purpose in the core. */
export const USAGES: Readonly<Record<KeyUsage, { readonly list: string; readonly purpose: KeyPurpose }>> = {
  ENCRYPT_DECRYPT: { list: 'EncryptionAlgorithms', purpose: 'encryption' },
  SIGN_VERIFY: { list: 'SigningAlgorithms', purpose: 'signing' },
  GENERATE_VERIFY_MAC: { list: 'MacAlgorithms', purpose: 'mac' },
  KEY_AGREEMENT: { list: 'KeyAgreementAlgorithms', purpose: 'derive' },
  ENCAPSULATE_DECAPSULATE: { list: 'EncapsulationAlgorithms', purpose: 'kem' },
};

const RSA_SIGNING = [
  'RSASSA_PKCS1_V1_5_SHA_256',
  'RSASSA_PKCS1_V1_5_SHA_384',
  'RSASSA_PKCS1_V1_5_SHA_512',
  'RSASSA_PSS_SHA_256',
  'RSASSA_PSS_SHA_384',
  'RSASSA_PSS_SHA_512',
] as const;

/** What AWS calls a kind of key, and what it is here. */
interface SpecEntry {
  readonly spec: string;
  readonly usage: KeyUsage;
  /** The id of the algorithm; absent for what is not made here. */
  readonly core?: string;
  /** In the order of the alphabet: clients take the first one. */
  readonly algorithms: readonly string[];
}

function rsa(bits: 2048 | 3072 | 4096): readonly SpecEntry[] {
  const spec = `RSA_${bits}`;
  return [
    { spec, usage: 'SIGN_VERIFY', core: `rsa-${bits}`, algorithms: RSA_SIGNING },
    // Bare RSAES-OAEP, which has no header; what the core makes of these keys has one.
    { spec, usage: 'ENCRYPT_DECRYPT', algorithms: ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256'] },
  ];
}

const mac = (bits: 256 | 384 | 512): SpecEntry => ({
  spec: `HMAC_${bits}`,
  usage: 'GENERATE_VERIFY_MAC',
  core: `hmac-sha${bits}`,
  algorithms: [`HMAC_SHA_${bits}`],
});

const curve = (spec: string, hash: 256 | 384 | 512, core?: string): readonly SpecEntry[] => [
  { spec, usage: 'SIGN_VERIFY', algorithms: [`ECDSA_SHA_${hash}`], ...(core === undefined ? {} : { core }) },
  { spec, usage: 'KEY_AGREEMENT', algorithms: ['ECDH'] },
];

/** The one table of the kinds of keys, with every pair of spec and usage that AWS KMS has. */
export const KEY_SPECS: readonly SpecEntry[] = [
  { spec: 'SYMMETRIC_DEFAULT', usage: 'ENCRYPT_DECRYPT', core: 'aes-256-gcm', algorithms: ['SYMMETRIC_DEFAULT'] },
  ...rsa(2048),
  ...rsa(3072),
  ...rsa(4096),
  ...curve('ECC_NIST_P256', 256, 'ecdsa-p256'),
  ...curve('ECC_NIST_P384', 384, 'ecdsa-p384'),
  ...curve('ECC_NIST_P521', 512),
  { spec: 'ECC_SECG_P256K1', usage: 'SIGN_VERIFY', algorithms: ['ECDSA_SHA_256'] },
  {
    spec: 'ECC_NIST_EDWARDS25519',
    usage: 'SIGN_VERIFY',
    core: 'ed25519',
    // ED25519_PH_SHA_512 is not made here, and is not offered.
    algorithms: ['ED25519_SHA_512'],
  },
  { spec: 'HMAC_224', usage: 'GENERATE_VERIFY_MAC', algorithms: ['HMAC_SHA_224'] },
  mac(256),
  mac(384),
  mac(512),
  { spec: 'ML_DSA_44', usage: 'SIGN_VERIFY', core: 'dilithium-2', algorithms: ['ML_DSA_SHAKE_256'] },
  { spec: 'ML_DSA_65', usage: 'SIGN_VERIFY', core: 'dilithium-3', algorithms: ['ML_DSA_SHAKE_256'] },
  { spec: 'ML_DSA_87', usage: 'SIGN_VERIFY', core: 'dilithium-5', algorithms: ['ML_DSA_SHAKE_256'] },
  { spec: 'ML_KEM_512', usage: 'ENCAPSULATE_DECAPSULATE', core: 'kyber-512', algorithms: ['ML_KEM'] },
  { spec: 'ML_KEM_768', usage: 'ENCAPSULATE_DECAPSULATE', core: 'kyber-768', algorithms: ['ML_KEM'] },
  { spec: 'ML_KEM_1024', usage: 'ENCAPSULATE_DECAPSULATE', core: 'kyber-1024', algorithms: ['ML_KEM'] },
  { spec: 'SM2', usage: 'SIGN_VERIFY', algorithms: ['SM2DSA'] },
  { spec: 'SM2', usage: 'ENCRYPT_DECRYPT', algorithms: ['SM2PKE'] },
  { spec: 'SM2', usage: 'KEY_AGREEMENT', algorithms: ['ECDH'] },
];

/** The kinds of keys that requests can name. */
export const SPEC_NAMES: readonly string[] = [...new Set(KEY_SPECS.map(({ spec }) => spec))];
export const USAGE_NAMES: readonly KeyUsage[] = [
  'SIGN_VERIFY',
  'ENCRYPT_DECRYPT',
  'GENERATE_VERIFY_MAC',
  'KEY_AGREEMENT',
  'ENCAPSULATE_DECAPSULATE',
];

/** What a key is in the words of AWS. */
export interface KindOfKey {
  readonly spec: string;
  readonly usage: KeyUsage;
  readonly algorithms: readonly string[];
  /** Whether it is a secret key that encrypts. */
  readonly isSymmetric: boolean;
}

/** What a key with an algorithm and a purpose of the core is in the words of AWS. */
export function kindOf(algorithmId: string, purpose: KeyPurpose): KindOfKey {
  const algorithm = algorithmById(algorithmId);
  const usage = usageOf(algorithm, purpose);
  const isSymmetric = algorithm.family === 'aead';
  const known = KEY_SPECS.find((entry) => entry.core === algorithm.id && entry.usage === usage);
  if (known !== undefined) return { spec: known.spec, usage, algorithms: known.algorithms, isSymmetric };
  // What AWS does not have goes by its name here, which clients pass on.
  const spec = algorithm.id.toUpperCase().replaceAll('-', '_');
  if (isSymmetric) return { spec, usage, algorithms: ['SYMMETRIC_DEFAULT'], isSymmetric };
  return { spec, usage, algorithms: usage === 'ENCRYPT_DECRYPT' ? [] : [spec], isSymmetric };
}

function usageOf({ family }: Algorithm, purpose: KeyPurpose): KeyUsage {
  if (purpose === 'signing' || purpose === 'sign' || purpose === 'verify') return 'SIGN_VERIFY';
  if (purpose === 'mac') return 'GENERATE_VERIFY_MAC';
  if (purpose === 'derive') return 'KEY_AGREEMENT';
  const isKem = family === 'ml-kem' || family === 'hybrid-kem';
  return isKem && purpose === 'kem' ? 'ENCAPSULATE_DECAPSULATE' : 'ENCRYPT_DECRYPT';
}

/** How the core is asked for what AWS calls a signing algorithm, the type of the message aside. */
export const SIGNING_ALGORITHMS: Readonly<
  Record<string, { readonly options: SignatureOptions; readonly digestBytes?: number }>
> = {
  RSASSA_PSS_SHA_256: { options: { scheme: 'pss', hash: 'sha256' }, digestBytes: 32 },
  RSASSA_PSS_SHA_384: { options: { scheme: 'pss', hash: 'sha384' }, digestBytes: 48 },
  RSASSA_PSS_SHA_512: { options: { scheme: 'pss', hash: 'sha512' }, digestBytes: 64 },
  RSASSA_PKCS1_V1_5_SHA_256: { options: { scheme: 'pkcs1-v1_5', hash: 'sha256' }, digestBytes: 32 },
  RSASSA_PKCS1_V1_5_SHA_384: { options: { scheme: 'pkcs1-v1_5', hash: 'sha384' }, digestBytes: 48 },
  RSASSA_PKCS1_V1_5_SHA_512: { options: { scheme: 'pkcs1-v1_5', hash: 'sha512' }, digestBytes: 64 },
  ECDSA_SHA_256: { options: { hash: 'sha256' }, digestBytes: 32 },
  ECDSA_SHA_384: { options: { hash: 'sha384' }, digestBytes: 48 },
  ECDSA_SHA_512: { options: { hash: 'sha512' }, digestBytes: 64 },
  SM2DSA: { options: {} },
  ML_DSA_SHAKE_256: { options: {} },
  ED25519_SHA_512: { options: {} },
  ED25519_PH_SHA_512: { options: {} },
};
