import {
  CURVE_ENCODINGS,
  type CurveEncoding,
  EC_OID,
  OCTET_ENCODINGS,
  type OctetEncoding,
  RSA_OID,
  RSA_PSS_OID,
} from '../algorithms/key-encodings.ts';
import type { AlgorithmIdentifier } from './key-containers.ts';
import { demand, RefusedMaterial } from './refused-material.ts';

/** What an algorithm identifier says that a key is. */
export type KeyType =
  | { readonly kind: 'rsa'; readonly name: 'rsa' | 'rsa-pss' }
  | { readonly kind: 'ec'; readonly curve: CurveEncoding }
  | { readonly kind: 'octets'; readonly encoding: OctetEncoding };

const CURVES = new Map(CURVE_ENCODINGS.map((curve) => [curve.oid, curve]));
const OCTETS = new Map(OCTET_ENCODINGS.map((encoding) => [encoding.oid, encoding]));

/**
 * The type of key that a container names, with the parameters that belong to it and no others.
 *
 * @throws RefusedMaterial
 */
export function keyTypeOf({ oid, parameters }: AlgorithmIdentifier): KeyType {
  if (oid === RSA_OID) {
    // RFC 8017, appendix A.1.
    demand(parameters === 'null', 'the parameters of an RSA key must be NULL (RFC 8017)');
    return { kind: 'rsa', name: 'rsa' };
  }
  if (oid === RSA_PSS_OID) {
    demand(parameters === 'absent' || parameters === 'other', 'the parameters are not those of RSASSA-PSS (RFC 4055)');
    return { kind: 'rsa', name: 'rsa-pss' };
  }
  if (oid === EC_OID) {
    demand(parameters !== 'other', 'the key must name its curve, not give explicit parameters (RFC 5480)');
    const curve = typeof parameters === 'string' ? undefined : CURVES.get(parameters.namedCurve);
    demand(curve !== undefined, 'the key is not on a supported named curve');
    return { kind: 'ec', curve };
  }
  const encoding = OCTETS.get(oid);
  if (encoding === undefined) throw new RefusedMaterial('the container is for an unsupported algorithm');
  demand(parameters === 'absent', `a key of the type ${encoding.keyType} has no parameters`);
  return { kind: 'octets', encoding };
}

/** The type in the words of `asymmetricKeyType` and `namedCurve` of `node:crypto`. */
export function nameOf(type: KeyType): string {
  switch (type.kind) {
    case 'rsa':
      return type.name;
    case 'ec':
      return type.curve.namedCurve;
    case 'octets':
      return type.encoding.keyType;
  }
}
