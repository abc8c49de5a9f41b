/** A signature algorithm of JWS (RFC 7518, RFC 8037) that tokens may be signed with; none of them is symmetric. */
export const JWT_ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'EdDSA',
] as const;
export type JwtAlgorithm = (typeof JWT_ALGORITHMS)[number];

export function isJwtAlgorithm(name: unknown): name is JwtAlgorithm {
  return JWT_ALGORITHMS.some((algorithm) => algorithm === name);
}

/** The type of the keys that an algorithm is for, and their curve. */
export function keyTypeOf(algorithm: JwtAlgorithm): { readonly kty: string; readonly crv?: string } {
  switch (algorithm) {
    case 'ES256':
      return { kty: 'EC', crv: 'P-256' };
    case 'ES384':
      return { kty: 'EC', crv: 'P-384' };
    case 'EdDSA':
      return { kty: 'OKP', crv: 'Ed25519' };
    default:
      return { kty: 'RSA' };
  }
}
