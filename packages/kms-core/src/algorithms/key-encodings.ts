import type { NodeKeyType } from './registry.ts';

/**
 * How the pairs of the registry stand in PKCS #8 and SubjectPublicKeyInfo. Object identifiers are the hexadecimal
 * contents of their DER.
 */
export interface CurveEncoding {
  readonly namedCurve: 'prime256v1' | 'secp384r1' | 'secp521r1';
  readonly oid: string;
  /** The length of a scalar and of a coordinate: those of the order and of the field are the same here. */
  readonly bytes: number;
  /** The order of the group, SP 800-186, section 3.2.1. */
  readonly order: string;
}

/** A key pair whose private half is a string of octets. */
export interface OctetEncoding {
  readonly keyType: NodeKeyType;
  readonly oid: string;
  readonly publicBytes: number;
  /**
   * What the octets of `privateKey` hold: the key itself (RFC 9909), an OCTET STRING with it (RFC 8410), or a seed, the
   * expanded key or both (RFC 9881, RFC 9935).
   */
  readonly form: 'bare' | 'octet-string' | 'seed-or-expanded';
  readonly privateBytes: number;
  /** The seed of ML-DSA and ML-KEM. */
  readonly seedBytes: number;
}

/** RFC 8017, appendix C, and RFC 5480, section 2.1.1. */
export const RSA_OID = '2a864886f70d010101';
/** RFC 4055, section 3.1: a key for RSASSA-PSS alone, with the digest that it is for. Keys of the KMS are of the other type. */
export const RSA_PSS_OID = '2a864886f70d01010a';
export const EC_OID = '2a8648ce3d0201';

/** The curves that any key which comes from outside may be on; the registry names those of the KMS's own keys. */
export const CURVE_ENCODINGS: readonly CurveEncoding[] = [
  {
    namedCurve: 'prime256v1',
    oid: '2a8648ce3d030107',
    bytes: 32,
    order: 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551',
  },
  {
    namedCurve: 'secp384r1',
    oid: '2b81040022',
    bytes: 48,
    order: 'ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973',
  },
  {
    namedCurve: 'secp521r1',
    oid: '2b81040023',
    bytes: 66,
    order:
      '01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa' +
      '51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409',
  },
];

/** RFC 8410, section 3. */
function rfc8410(keyType: 'ed25519' | 'x25519', arc: string): OctetEncoding {
  return { keyType, oid: `2b65${arc}`, publicBytes: 32, form: 'octet-string', privateBytes: 32, seedBytes: 0 };
}

/** The arcs `kems` and `sigAlgs` of NIST, 2.16.840.1.101.3.4.4 and .3. */
const KEMS = '6086480165030404';
const SIGNATURES = '6086480165030403';

/** FIPS 203, table 3; RFC 9935. */
function mlKem(size: 512 | 768 | 1024, arc: string, privateBytes: number, publicBytes: number): OctetEncoding {
  const keyType = `ml-kem-${size}` as const;
  return { keyType, oid: `${KEMS}${arc}`, publicBytes, form: 'seed-or-expanded', privateBytes, seedBytes: 64 };
}

/** FIPS 204, table 2; RFC 9881. */
function mlDsa(size: 44 | 65 | 87, arc: string, privateBytes: number, publicBytes: number): OctetEncoding {
  const keyType = `ml-dsa-${size}` as const;
  return { keyType, oid: `${SIGNATURES}${arc}`, publicBytes, form: 'seed-or-expanded', privateBytes, seedBytes: 32 };
}

/** FIPS 205, table 2; RFC 9909, section 3, which counts the parameter sets from 20 (14 in hexadecimal). */
function slhDsa(): OctetEncoding[] {
  let arc = 0x14;
  return (['sha2', 'shake'] as const).flatMap((hash) =>
    ([128, 192, 256] as const).flatMap((bits) =>
      (['s', 'f'] as const).map((variant): OctetEncoding => {
        const oid = `${SIGNATURES}${(arc++).toString(16)}`;
        const n = bits / 8;
        const keyType = `slh-dsa-${hash}-${bits}${variant}` as const;
        return { keyType, oid, publicBytes: 2 * n, form: 'bare', privateBytes: 4 * n, seedBytes: 0 };
      }),
    ),
  );
}

export const OCTET_ENCODINGS: readonly OctetEncoding[] = [
  rfc8410('ed25519', '70'),
  rfc8410('x25519', '6e'),
  mlKem(512, '01', 1632, 800),
  mlKem(768, '02', 2400, 1184),
  mlKem(1024, '03', 3168, 1568),
  mlDsa(44, '11', 2560, 1312),
  mlDsa(65, '12', 4032, 1952),
  mlDsa(87, '13', 4896, 2592),
  ...slhDsa(),
];
