import type { AlgorithmId } from './algorithm-id.ts';
import type { Algorithm, KeyPurpose } from './registry.ts';

/** The kinds of primitives, as CycloneDX 1.6 names them. */
export type Primitive = 'ae' | 'block-cipher' | 'mac' | 'signature' | 'pke' | 'key-agree' | 'kem';

/** What a primitive does, as CycloneDX 1.6 names it. */
export type CryptoFunction =
  | 'keygen'
  | 'encrypt'
  | 'decrypt'
  | 'tag'
  | 'keyderive'
  | 'sign'
  | 'verify'
  | 'encapsulate'
  | 'decapsulate';

/** One way in which keys of an algorithm are used; RSA has two. */
export interface AlgorithmUse {
  /** The name of the scheme in its standard. */
  readonly name: string;
  readonly primitive: Primitive;
  /** The object identifier of the scheme, in dots; absent where none is assigned. */
  readonly oid?: string;
  readonly functions: readonly CryptoFunction[];
  readonly mode?: 'gcm' | 'cbc';
  readonly padding?: 'oaep' | 'other' | 'pkcs7';
}

/** What is stated about an algorithm beside what the registry needs to work with it. */
export interface AlgorithmFacts {
  /**
   * The security strength category of NIST's call for post-quantum algorithms, from 1 (as hard as a search for an AES-128 key) to 5
   * (AES-256); 0 for what a quantum computer breaks.
   */
  readonly nistCategory: 0 | 1 | 2 | 3 | 5;
  /** The security strength in bits against classical computers (SP 800-57 Part 1 Rev. 5, section 5.6.1). */
  readonly classicalBits: number;
  /** What tells the algorithm from others of its family. */
  readonly parameterSet: string;
  /** The elliptic curve, as SP 800-186 or RFC 7748 names it. */
  readonly curve?: 'P-256' | 'P-384' | 'Edwards25519' | 'Curve25519';
  /** How its keys are used, the usual way first. */
  readonly uses: readonly [AlgorithmUse, ...AlgorithmUse[]];
}

const NIST_AES = '2.16.840.1.101.3.4.1';
const NIST_HASHES = '2.16.840.1.101.3.4.2';
const NIST_SIGNATURES = '2.16.840.1.101.3.4.3';
const NIST_KEMS = '2.16.840.1.101.3.4.4';

const SIGNING: readonly CryptoFunction[] = ['keygen', 'sign', 'verify'];
const SEALING: readonly CryptoFunction[] = ['keygen', 'encrypt', 'decrypt'];
const ENCAPSULATING: readonly CryptoFunction[] = ['keygen', 'encapsulate', 'decapsulate'];

/** The object identifiers of AES are those of NIST's register of algorithms (CSOR), `aes`. */
function aesGcm(bits: 128 | 256, arc: number): AlgorithmFacts {
  return {
    nistCategory: bits === 256 ? 5 : 1,
    classicalBits: bits,
    parameterSet: String(bits),
    uses: [{ name: `AES-${bits}-GCM`, primitive: 'ae', oid: `${NIST_AES}.${arc}`, functions: SEALING, mode: 'gcm' }],
  };
}

/** Of a key that is made here: it is as long as the digest, and finding it takes a search as for an AES key of 256 bits or more. */
function hmac(name: string, oid: string): AlgorithmFacts {
  return {
    nistCategory: 5,
    classicalBits: 256,
    parameterSet: name,
    uses: [{ name: `HMAC-${name}`, primitive: 'mac', oid, functions: ['keygen', 'tag', 'verify'] }],
  };
}

function ecdsa(curve: 'P-256' | 'P-384', classicalBits: 128 | 192, oid: string): AlgorithmFacts {
  const uses = [{ name: `ECDSA-${curve}`, primitive: 'signature', oid, functions: SIGNING }] as const;
  return { nistCategory: 0, classicalBits, parameterSet: curve, curve, uses };
}

/** SP 800-57 Part 1 Rev. 5, table 2; 4096 bits from SP 800-56B Rev. 2, appendix D. The schemes are those of RFC 8017. */
function rsa(bits: number, classicalBits: 112 | 128 | 152): AlgorithmFacts {
  return {
    nistCategory: 0,
    classicalBits,
    parameterSet: String(bits),
    uses: [
      {
        name: `RSASSA-PSS-${bits}`,
        primitive: 'signature',
        oid: '1.2.840.113549.1.1.10',
        functions: SIGNING,
        padding: 'other',
      },
      {
        name: `RSAES-OAEP-${bits}`,
        primitive: 'pke',
        oid: '1.2.840.113549.1.1.7',
        functions: SEALING,
        padding: 'oaep',
      },
    ],
  };
}

function agreement(name: string, parameterSet: string, curve: 'P-256' | 'Curve25519', oid: string): AlgorithmFacts {
  const uses = [{ name, primitive: 'key-agree', oid, functions: ['keygen', 'keyderive'] }] as const;
  return { nistCategory: 0, classicalBits: 128, parameterSet, curve, uses };
}

/** FIPS 203, section 8 and table 3. */
function mlKem(size: 512 | 768 | 1024, nistCategory: 1 | 3 | 5, arc: number): AlgorithmFacts {
  return {
    nistCategory,
    classicalBits: STRENGTHS[nistCategory],
    parameterSet: String(size),
    uses: [{ name: `ML-KEM-${size}`, primitive: 'kem', oid: `${NIST_KEMS}.${arc}`, functions: ENCAPSULATING }],
  };
}

/** FIPS 204, table 1. */
function mlDsa(size: 44 | 65 | 87, nistCategory: 2 | 3 | 5, arc: number): AlgorithmFacts {
  return {
    nistCategory,
    classicalBits: STRENGTHS[nistCategory],
    parameterSet: String(size),
    uses: [{ name: `ML-DSA-${size}`, primitive: 'signature', oid: `${NIST_SIGNATURES}.${arc}`, functions: SIGNING }],
  };
}

/** FIPS 205, table 2; the arcs of RFC 9909. */
function slhDsa(hash: 'SHA2' | 'SHAKE', bits: 128 | 192 | 256, variant: 's' | 'f', arc: number): AlgorithmFacts {
  const parameterSet = `${hash}-${bits}${variant}`;
  return {
    nistCategory: CATEGORIES[bits],
    classicalBits: bits,
    parameterSet,
    uses: [
      {
        name: `SLH-DSA-${parameterSet}`,
        primitive: 'signature',
        oid: `${NIST_SIGNATURES}.${arc}`,
        functions: SIGNING,
      },
    ],
  };
}

/** What each category is at least as strong as, in bits: AES-128, SHA-256, AES-192 and AES-256 (FIPS 203, appendix A). */
const STRENGTHS = { 1: 128, 2: 128, 3: 192, 5: 256 } as const;
const CATEGORIES = { 128: 1, 192: 3, 256: 5 } as const;

/** Every algorithm of the registry: the compiler asks for what is missing. */
const FACTS: Readonly<Record<AlgorithmId, AlgorithmFacts>> = {
  'aes-256-gcm': aesGcm(256, 46),
  'aes-128-gcm': aesGcm(128, 6),
  // RFC 8103, section 1.1.
  'chacha20-poly1305': {
    nistCategory: 5,
    classicalBits: 256,
    parameterSet: '256',
    uses: [{ name: 'ChaCha20-Poly1305', primitive: 'ae', oid: '1.2.840.113549.1.9.16.3.18', functions: SEALING }],
  },
  'aes-256-cbc': {
    nistCategory: 5,
    classicalBits: 256,
    parameterSet: '256',
    uses: [
      {
        name: 'AES-256-CBC',
        primitive: 'block-cipher',
        oid: `${NIST_AES}.42`,
        functions: ['decrypt'],
        mode: 'cbc',
        padding: 'pkcs7',
      },
    ],
  },
  // RFC 8018, appendix B.1.2, and CSOR.
  'hmac-sha256': hmac('SHA256', '1.2.840.113549.2.9'),
  'hmac-sha384': hmac('SHA384', '1.2.840.113549.2.10'),
  'hmac-sha512': hmac('SHA512', '1.2.840.113549.2.11'),
  'hmac-sha3-256': hmac('SHA3-256', `${NIST_HASHES}.14`),
  ed25519: {
    nistCategory: 0,
    classicalBits: 128,
    parameterSet: 'Ed25519',
    curve: 'Edwards25519',
    uses: [{ name: 'Ed25519', primitive: 'signature', oid: '1.3.101.112', functions: SIGNING }],
  },
  // RFC 5758, section 3.2.
  'ecdsa-p256': ecdsa('P-256', 128, '1.2.840.10045.4.3.2'),
  'ecdsa-p384': ecdsa('P-384', 192, '1.2.840.10045.4.3.3'),
  'rsa-2048': rsa(2048, 112),
  'rsa-3072': rsa(3072, 128),
  'rsa-4096': rsa(4096, 152),
  x25519: agreement('X25519', 'X25519', 'Curve25519', '1.3.101.110'),
  // RFC 5480, section 2.1.2.
  'ecdh-p256': agreement('ECDH-P-256', 'P-256', 'P-256', '1.3.132.1.12'),
  'kyber-512': mlKem(512, 1, 1),
  'kyber-768': mlKem(768, 3, 2),
  'kyber-1024': mlKem(1024, 5, 3),
  'dilithium-2': mlDsa(44, 2, 17),
  'dilithium-3': mlDsa(65, 3, 18),
  'dilithium-5': mlDsa(87, 5, 19),
  'sphincs-sha2-128s-simple': slhDsa('SHA2', 128, 's', 20),
  'sphincs-sha2-128f-simple': slhDsa('SHA2', 128, 'f', 21),
  'sphincs-sha2-192s-simple': slhDsa('SHA2', 192, 's', 22),
  'sphincs-sha2-192f-simple': slhDsa('SHA2', 192, 'f', 23),
  'sphincs-sha2-256s-simple': slhDsa('SHA2', 256, 's', 24),
  'sphincs-sha2-256f-simple': slhDsa('SHA2', 256, 'f', 25),
  'sphincs-shake-128s-simple': slhDsa('SHAKE', 128, 's', 26),
  'sphincs-shake-128f-simple': slhDsa('SHAKE', 128, 'f', 27),
  'sphincs-shake-192s-simple': slhDsa('SHAKE', 192, 's', 28),
  'sphincs-shake-192f-simple': slhDsa('SHAKE', 192, 'f', 29),
  'sphincs-shake-256s-simple': slhDsa('SHAKE', 256, 's', 30),
  'sphincs-shake-256f-simple': slhDsa('SHAKE', 256, 'f', 31),
  // The strength of ML-KEM-768, whatever becomes of X25519; the identifier of the draft.
  'x25519-kyber-768': {
    nistCategory: 3,
    classicalBits: 192,
    parameterSet: 'X25519-ML-KEM-768',
    curve: 'Curve25519',
    uses: [{ name: 'X-Wing', primitive: 'kem', oid: '1.3.6.1.4.1.62253.25722', functions: ENCAPSULATING }],
  },
};

/** What is stated about an algorithm. */
export function algorithmFacts({ id }: Pick<Algorithm, 'id'>): AlgorithmFacts {
  return FACTS[id];
}

/** The purposes whose keys sign where their algorithm also encrypts. */
const SIGNS: ReadonlySet<KeyPurpose> = new Set<KeyPurpose>(['signing', 'sign', 'verify']);

/** How keys of an algorithm with a purpose are used. */
export function useOf(facts: AlgorithmFacts, purpose: KeyPurpose): AlgorithmUse {
  const primitive = SIGNS.has(purpose) ? 'signature' : 'pke';
  return facts.uses.find((use) => use.primitive === primitive) ?? facts.uses[0];
}
