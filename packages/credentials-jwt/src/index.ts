export { type TrustedIssuer, InvalidIssuers, readTrustedIssuers } from './trusted-issuers.ts';
export { type JwtVerifierOptions, type VerifiedToken, jwtVerifier } from './jwt-verifier.ts';
export { publicKeysIn } from './issuer-keys.ts';
export type { RefusalReason, SignedRefusalReason } from './refusal.ts';
