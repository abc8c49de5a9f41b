export type { RequestHead } from './received-headers.ts';
export type { AccessKey } from './signing-keys.ts';
export { type ClaimedSignature, type SignatureVerifierOptions, SignatureVerifier } from './signature-verifier.ts';
export { type SignatureRefusalReason, SignatureRefusal } from './signature-refusal.ts';
