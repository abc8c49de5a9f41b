import type { AlgorithmId } from './algorithm-id.ts';
import type { CryptoOperation } from './crypto-operation.ts';

/** What a key may be created for. `encrypt`, `sign`, … are the documented spellings of the broader purposes. */
export const KEY_PURPOSES = [
  'encryption',
  'signing',
  'kem',
  'key-wrapping',
  'mac',
  'derive',
  'encrypt',
  'decrypt',
  'sign',
  'verify',
  'wrap',
] as const;
/** What a key is for: one of {@link KEY_PURPOSES}. */
export type KeyPurpose = (typeof KEY_PURPOSES)[number];

/** The operations that each purpose stands for. */
export const PURPOSE_OPERATIONS: Readonly<Record<KeyPurpose, readonly CryptoOperation[]>> = {
  encryption: ['encrypt', 'decrypt', 'reencrypt', 'wrap', 'unwrap', 'data-key'],
  signing: ['sign', 'verify'],
  kem: ['encapsulate', 'decapsulate', 'wrap', 'unwrap', 'encrypt', 'decrypt', 'reencrypt', 'data-key'],
  'key-wrapping': ['wrap', 'unwrap', 'data-key'],
  mac: ['mac', 'mac-verify'],
  derive: ['derive'],
  encrypt: ['encrypt', 'decrypt', 'reencrypt'],
  decrypt: ['decrypt'],
  sign: ['sign', 'verify'],
  verify: ['verify'],
  wrap: ['wrap', 'unwrap', 'data-key'],
};

/** The ciphertext suites of the envelope; `docs/cryptography.md` has the construction of each. */
export type Suite = 1 | 2 | 3 | 4 | 5;

/** How the key material of an algorithm is made and held. */
export type KeyForm =
  | {
      readonly kind: 'secret';
      /** The length of a key that is made here. */
      readonly bytes: number;
      /** The lengths that imported keys may have; default: only `bytes`. */
      readonly imported?: { readonly minimumBytes: number; readonly maximumBytes: number };
    }
  | { readonly kind: 'rsa'; readonly modulusBits: 2048 | 3072 | 4096 }
  | { readonly kind: 'ec'; readonly namedCurve: 'prime256v1' | 'secp384r1' }
  | { readonly kind: 'node-key'; readonly keyType: NodeKeyType }
  | { readonly kind: 'x-wing' };

/** The key pairs that Node.js makes by a name alone. */
export type NodeKeyType =
  | 'ed25519'
  | 'x25519'
  | `ml-kem-${512 | 768 | 1024}`
  | `ml-dsa-${44 | 65 | 87}`
  | `slh-dsa-${'sha2' | 'shake'}-${128 | 192 | 256}${'f' | 's'}`;

/** What an algorithm is of: those of a family are used in the same way. */
export type AlgorithmFamily =
  | 'aead'
  | 'legacy-cipher'
  | 'mac'
  | 'eddsa'
  | 'ecdsa'
  | 'rsa'
  | 'ml-dsa'
  | 'slh-dsa'
  | 'key-agreement'
  | 'ml-kem'
  | 'hybrid-kem';

/** Everything that the KMS knows about an algorithm. Nothing below the registry compares names. */
export interface Algorithm {
  /** The platform id, as answers spell it. */
  readonly id: AlgorithmId;
  /** The name in the standard. */
  readonly standardName: string;
  /** The standard that defines it. */
  readonly reference: string;
  readonly family: AlgorithmFamily;
  /** The purposes that it can serve, its own first. */
  readonly purposes: readonly [KeyPurpose, ...KeyPurpose[]];
  readonly form: KeyForm;
  /** The suite of its ciphertexts, where it makes any. */
  readonly suite?: Suite;
  /** The digest that belongs to it: of the MAC, of ECDSA, of RSA. */
  readonly digest?: 'sha256' | 'sha384' | 'sha512' | 'sha3-256';
  /** Whether signatures take a context string (FIPS 204 and 205). */
  readonly signatureContext?: true;
  /** The number of messages that one key version may protect (SP 800-38D, section 8.3). */
  readonly messageBudget?: number;
  /** How it differs in an HSM, which has plain AES-GCM only. */
  readonly resident?: { readonly suite: Suite; readonly messageBudget: number };
  /** Whether a FIPS 140-3 module may use it in approved mode. */
  readonly fipsApproved: boolean;
  /** Whether it withstands a cryptographically relevant quantum computer. */
  readonly quantumSafe: boolean;
  /** Made only by import, and only to read what exists. */
  readonly importOnly?: true;
  /** Further spellings that clients use; compared without case, spaces, `_`, `-`, `.` and `/`. */
  readonly spellings?: readonly string[];
}

const SIGNING = ['signing', 'sign', 'verify'] as const;
const ENCRYPTION = ['encryption', 'encrypt', 'decrypt', 'key-wrapping', 'wrap'] as const;
const KEM = ['kem', 'key-wrapping', 'wrap', 'encryption', 'encrypt', 'decrypt'] as const;
const RSA = ['signing', 'sign', 'verify', 'encryption', 'encrypt', 'decrypt', 'key-wrapping', 'wrap'] as const;
/** SP 800-38D, section 8.3: at most 2^32 invocations with random 96-bit nonces under one key. */
const RANDOM_96_BIT_NONCE_BUDGET = 2 ** 32;

/** The ML-KEM parameter sets of FIPS 203, table 2. */
function mlKem(size: 512 | 768 | 1024): Algorithm {
  return {
    id: `kyber-${size}`,
    standardName: `ML-KEM-${size}`,
    reference: 'FIPS 203',
    family: 'ml-kem',
    purposes: KEM,
    form: { kind: 'node-key', keyType: `ml-kem-${size}` },
    suite: 4,
    fipsApproved: true,
    quantumSafe: true,
  };
}

/** The ML-DSA parameter sets of FIPS 204, table 1. */
function mlDsa(level: 2 | 3 | 5, size: 44 | 65 | 87): Algorithm {
  return {
    id: `dilithium-${level}`,
    standardName: `ML-DSA-${size}`,
    reference: 'FIPS 204',
    family: 'ml-dsa',
    purposes: SIGNING,
    form: { kind: 'node-key', keyType: `ml-dsa-${size}` },
    signatureContext: true,
    fipsApproved: true,
    quantumSafe: true,
  };
}

/** The SLH-DSA parameter sets of FIPS 205, table 2. */
function slhDsa(hash: 'sha2' | 'shake', bits: 128 | 192 | 256, variant: 'f' | 's'): Algorithm {
  return {
    id: `sphincs-${hash}-${bits}${variant}-simple`,
    standardName: `SLH-DSA-${hash === 'sha2' ? 'SHA2' : 'SHAKE'}-${bits}${variant}`,
    reference: 'FIPS 205',
    family: 'slh-dsa',
    purposes: SIGNING,
    form: { kind: 'node-key', keyType: `slh-dsa-${hash}-${bits}${variant}` },
    signatureContext: true,
    fipsApproved: true,
    quantumSafe: true,
    spellings: [`sphincs-${hash}-${bits}${variant}`, `sphincsplus-${hash}-${bits}${variant}-simple`],
  };
}

/**
 * HMAC takes keys of any length (RFC 2104, section 2). Below 112 bits none is strong enough (SP 800-131A Rev. 2,
 * section 10), and nobody makes keys above 1 KiB.
 */
const HMAC_KEYS = { minimumBytes: 14, maximumBytes: 1024 };

function hmac(name: 'sha256' | 'sha384' | 'sha512' | 'sha3-256', bytes: number): Algorithm {
  return {
    id: `hmac-${name}`,
    standardName: `HMAC-${name.toUpperCase()}`,
    reference: 'FIPS 198-1',
    family: 'mac',
    purposes: ['mac'],
    form: { kind: 'secret', bytes, imported: HMAC_KEYS },
    digest: name,
    fipsApproved: true,
    quantumSafe: true,
    spellings: [`hs${name.replace('sha', '')}`],
  };
}

function rsa(modulusBits: 2048 | 3072 | 4096): Algorithm {
  return {
    id: `rsa-${modulusBits}`,
    standardName: `RSA-${modulusBits}`,
    reference: 'FIPS 186-5, SP 800-56B Rev. 2',
    family: 'rsa',
    purposes: RSA,
    form: { kind: 'rsa', modulusBits },
    suite: 5,
    digest: 'sha256',
    fipsApproved: true,
    quantumSafe: false,
    spellings: [`rsa-pss-${modulusBits}`, `rsa-oaep-${modulusBits}`],
  };
}

/** The one table of algorithms. */
export const ALGORITHMS: readonly Algorithm[] = [
  {
    id: 'aes-256-gcm',
    standardName: 'AES-256-GCM',
    reference: 'FIPS 197, SP 800-38D, C2SP XAES-256-GCM',
    family: 'aead',
    purposes: ENCRYPTION,
    form: { kind: 'secret', bytes: 32 },
    suite: 1,
    resident: { suite: 2, messageBudget: RANDOM_96_BIT_NONCE_BUDGET },
    fipsApproved: true,
    quantumSafe: true,
    spellings: ['aes256', 'aes-gcm-256', 'a256gcm', 'aes', 'aes256-gcm96'],
  },
  {
    id: 'aes-128-gcm',
    standardName: 'AES-128-GCM',
    reference: 'FIPS 197, SP 800-38D',
    family: 'aead',
    purposes: ENCRYPTION,
    form: { kind: 'secret', bytes: 16 },
    suite: 2,
    messageBudget: RANDOM_96_BIT_NONCE_BUDGET,
    fipsApproved: true,
    quantumSafe: false,
    spellings: ['aes128', 'aes-gcm-128', 'a128gcm', 'aes128-gcm96'],
  },
  {
    id: 'chacha20-poly1305',
    standardName: 'ChaCha20-Poly1305',
    reference: 'RFC 8439',
    family: 'aead',
    purposes: ENCRYPTION,
    form: { kind: 'secret', bytes: 32 },
    suite: 3,
    messageBudget: RANDOM_96_BIT_NONCE_BUDGET,
    fipsApproved: false,
    quantumSafe: true,
    spellings: ['chacha20', 'c20p'],
  },
  {
    id: 'aes-256-cbc',
    standardName: 'AES-256-CBC',
    reference: 'FIPS 197, SP 800-38A',
    family: 'legacy-cipher',
    purposes: ['decrypt'],
    form: { kind: 'secret', bytes: 32 },
    fipsApproved: true,
    quantumSafe: true,
    importOnly: true,
    spellings: ['a256cbc', 'aes-cbc-256'],
  },
  hmac('sha256', 32),
  hmac('sha384', 48),
  hmac('sha512', 64),
  hmac('sha3-256', 32),
  {
    id: 'ed25519',
    standardName: 'Ed25519',
    reference: 'FIPS 186-5, RFC 8032',
    family: 'eddsa',
    purposes: SIGNING,
    form: { kind: 'node-key', keyType: 'ed25519' },
    fipsApproved: true,
    quantumSafe: false,
    spellings: ['eddsa', 'eddsa-ed25519'],
  },
  {
    id: 'ecdsa-p256',
    standardName: 'ECDSA-P-256',
    reference: 'FIPS 186-5',
    family: 'ecdsa',
    purposes: SIGNING,
    form: { kind: 'ec', namedCurve: 'prime256v1' },
    digest: 'sha256',
    fipsApproved: true,
    quantumSafe: false,
    spellings: ['es256', 'p256', 'ecdsa-p256-sha256', 'ecdsa-secp256r1', 'secp256r1', 'prime256v1'],
  },
  {
    id: 'ecdsa-p384',
    standardName: 'ECDSA-P-384',
    reference: 'FIPS 186-5',
    family: 'ecdsa',
    purposes: SIGNING,
    form: { kind: 'ec', namedCurve: 'secp384r1' },
    digest: 'sha384',
    fipsApproved: true,
    quantumSafe: false,
    spellings: ['es384', 'p384', 'ecdsa-p384-sha384', 'ecdsa-secp384r1', 'secp384r1'],
  },
  rsa(2048),
  rsa(3072),
  rsa(4096),
  {
    id: 'x25519',
    standardName: 'X25519',
    reference: 'RFC 7748',
    family: 'key-agreement',
    purposes: ['derive'],
    form: { kind: 'node-key', keyType: 'x25519' },
    fipsApproved: false,
    quantumSafe: false,
    spellings: ['ecdh-x25519', 'curve25519'],
  },
  {
    id: 'ecdh-p256',
    standardName: 'ECDH-P-256',
    reference: 'SP 800-56A Rev. 3',
    family: 'key-agreement',
    purposes: ['derive'],
    form: { kind: 'ec', namedCurve: 'prime256v1' },
    fipsApproved: true,
    quantumSafe: false,
    spellings: ['ecdh-secp256r1', 'ecdh-es'],
  },
  mlKem(512),
  mlKem(768),
  mlKem(1024),
  mlDsa(2, 44),
  mlDsa(3, 65),
  mlDsa(5, 87),
  ...(['sha2', 'shake'] as const).flatMap((hash) =>
    ([128, 192, 256] as const).flatMap((bits) => [slhDsa(hash, bits, 'f'), slhDsa(hash, bits, 's')]),
  ),
  {
    id: 'x25519-kyber-768',
    standardName: 'X-Wing',
    reference: 'draft-connolly-cfrg-xwing-kem',
    family: 'hybrid-kem',
    purposes: KEM,
    form: { kind: 'x-wing' },
    suite: 4,
    fipsApproved: false,
    quantumSafe: true,
    spellings: [
      'x25519mlkem768',
      'x25519-ml-kem-768',
      'x25519-kyber768',
      'x25519kyber768draft00',
      'xwing',
      'hybrid-kem',
    ],
  },
];
