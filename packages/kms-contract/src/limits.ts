import { MAX_PLAINTEXT_BYTES } from '@qnsp/kms-core';

const KIB = 1024;
const MIB = 1024 * KIB;

/** Every bound of the contract. Bytes are counted after base64 is decoded, characters in UTF-16 code units. */
export const LIMITS = {
  bodyBytes: MIB,
  /** The body of a route that takes `{items: […]}`. */
  batchBodyBytes: 8 * MIB,
  batchItems: 1000,
  plaintextBytes: MAX_PLAINTEXT_BYTES,
  /** A plaintext of the greatest size with the largest header, encapsulation and tag that a suite adds, rounded up. */
  ciphertextBytes: MAX_PLAINTEXT_BYTES + 4 * KIB,
  /** What is signed or authenticated: as much as fits into a body that is not a batch. */
  messageBytes: (MIB * 3) / 4 - 4 * KIB,
  /** The largest is SLH-DSA-256f with 49,856 bytes (FIPS 205, table 2). */
  signatureBytes: 64 * KIB,
  macBytes: 64,
  /** FIPS 204, section 5.2, and FIPS 205, section 10.2. */
  signatureContextBytes: 255,
  associatedDataBytes: 8 * KIB,
  kemCiphertextBytes: 2 * KIB,
  publicKeyBytes: KIB,
  deriveInfoBytes: KIB,
  dataKeyBytes: { minimum: 16, maximum: 64 },
  derivedKeyBytes: { minimum: 16, maximum: 64 },
  randomBytes: { minimum: 1, maximum: 1024 },
  wrappedMaterialBytes: 16 * KIB,
  importTokenBytes: 16 * KIB,
  nameCharacters: 256,
  subjectCharacters: 256,
  reasonCharacters: 1024,
  cursorCharacters: 512,
  idempotencyKeyCharacters: 255,
  context: { entries: 64, nameCharacters: 1024, valueCharacters: 8 * KIB, totalBytes: 8 * KIB },
  metadata: { entries: 64, nameCharacters: 128, valueCharacters: 1024, totalBytes: 16 * KIB },
  policy: {
    statements: 64,
    actions: 64,
    resources: 256,
    principals: 256,
    tenants: 64,
    addresses: 64,
    totalCharacters: 32 * KIB,
  },
  exportBatches: { default: 10, maximum: 100 },
  pageItems: { default: 50, maximum: 200 },
  pendingWindowDays: { minimum: 1, maximum: 90, default: 7 },
  upcomingDays: { maximum: 3650, default: 30 },
  /** The contract's own bounds; a deployment's lower bound is a setting, by default an hour. */
  rotationSeconds: { minimum: 60, defaultMinimum: 60 * 60, maximum: 10 * 365 * 24 * 60 * 60 },
  retainVersions: 1000,
  tokenPermissions: 64,
} as const;

/** The largest body in bytes that a route reads. */
export function bodyLimit(route: { readonly crypto?: unknown }): number {
  return route.crypto === undefined ? LIMITS.bodyBytes : LIMITS.batchBodyBytes;
}
