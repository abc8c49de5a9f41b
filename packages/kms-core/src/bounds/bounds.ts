const KIB = 1024;

/**
 * The bounds of everything that the operations take. Each operation checks its own input against them, no matter who
 * calls it; the HTTP contract takes its limits from here. Bytes are bytes, characters UTF-16 code units.
 */
export const BOUNDS = {
  plaintextBytes: 64 * KIB,
  /** A plaintext of the greatest size with the largest header, encapsulation and tag that a suite adds, rounded up. */
  ciphertextBytes: 64 * KIB + 4 * KIB,
  /** What is signed or authenticated: as much as fits, in base64, into a request of 1 MiB. */
  messageBytes: (1024 * KIB * 3) / 4 - 4 * KIB,
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
  /** SHA-256 or longer. */
  fingerprintBytes: { minimum: 32, maximum: 64 },
  context: { entries: 64, nameCharacters: 1024, valueCharacters: 8 * KIB, totalBytes: 8 * KIB },
  /** Members and characters of every object and text in it. */
  metadata: { entries: 64, levels: 8, nameCharacters: 128, valueCharacters: 1024, totalBytes: 16 * KIB },
  policy: {
    statements: 64,
    actions: 64,
    resources: 256,
    principals: 256,
    tenants: 64,
    addresses: 64,
    /** Of the whole document as JSON. */
    totalCharacters: 32 * KIB,
  },
  pageItems: { default: 50, maximum: 200 },
  exportedBatches: { default: 10, maximum: 100 },
  pendingDays: { minimum: 1, maximum: 90, default: 7 },
  /** For how many days after its last use a key is destroyed only by who acknowledges that use; 0 is no guard. */
  destroyGuardDays: { minimum: 0, maximum: 3650 },
  /** How many others have to approve; 0 is nobody. */
  requireApproval: { minimum: 0, maximum: 10 },
  approval: {
    /** How long a request waits for approvals: three days. */
    seconds: 3 * 24 * 60 * 60,
    /** How many may wait at a time, of a tenant. */
    pending: 1000,
    /** How long they are kept after that: 90 days. */
    keptSeconds: 90 * 24 * 60 * 60,
  },
  /** How old the master key of a tenant may get before it is rotated by itself. */
  masterKeyDays: 3650,
  /** How many earlier versions of a tenant's master key there may be, with those of which something is left for a day. */
  earlierMasterKeys: 24,
  migration: {
    /** How many keys a selector may name. */
    keys: 256,
    /** How many migrations of a tenant that have ended are kept. */
    kept: 100,
    /** How long one process holds a migration without a sign of life. */
    leaseMs: { minimum: 1000, maximum: 60 * 60 * 1000 },
  },
  /** How far back it is asked for uses of a key. */
  usageDays: { maximum: 3650, default: 30 },
  upcomingDays: { maximum: 3650, default: 30 },
  rotationSeconds: { minimum: 60, maximum: 10 * 365 * 24 * 60 * 60 },
  retainVersions: 1000,
  /** A key version is four bytes in the header of a ciphertext. */
  keyVersion: 2 ** 32 - 1,
  /** How long what has ended is kept: up to a hundred years. */
  retentionSeconds: { minimum: 1, maximum: 100 * 365 * 24 * 60 * 60 },
  tokenPermissions: 64,
  tokenKeys: 256,
  tokenAddresses: 64,
  /** Units of cost in a second. */
  tokenRate: { minimum: 1, maximum: 1_000_000_000 },
  /** Units of cost in a second, or at once; 0 is no limit. */
  tenantRate: { minimum: 0, maximum: 1_000_000_000 },
  /** How many of a kind a tenant may have; 0 is any number. */
  quota: { minimum: 0, maximum: 1_000_000_000 },
  /** How many operations a tenant may do in a month; 0 is any number. */
  operationsPerMonth: { minimum: 0, maximum: 1_000_000_000_000 },
  /** For how long a token is still taken after it was rotated: up to a week. */
  overlapSeconds: { maximum: 7 * 24 * 60 * 60, default: 60 * 60 },
  /** How many tokens of a lineage one call revokes. */
  lineageTokens: 1000,
  identity: {
    issuerCharacters: 512,
    claims: 8,
    claimCharacters: 128,
    valueCharacters: 512,
    keys: 256,
    /** Of a tenant. */
    bindings: 1000,
    /** How many bindings of a tenant may let one credential in, and how many keys they may name in sum. */
    bindingsTogether: 64,
    keysTogether: 4096,
    /** Of a tenant. */
    denials: 1000,
    /** How far a denial may reach into the future, for clocks of issuers that are ahead. */
    aheadSeconds: 5 * 60,
    /** The longest life of a credential of an issuer that the service can be told to take. */
    lifetimeSeconds: 366 * 24 * 60 * 60,
  },
  /** What an application says of a call. The longest subject is of a credential of an issuer. */
  caller: { subjectCharacters: 2048, factCharacters: 4096 },
  /** How many versions are asked whether they made a signature or a MAC that does not name its own. */
  triedVersions: 32,
  /** Instants as RFC 3339 can write them in UTC, and a record can hold them. */
  instant: { earliest: Date.UTC(1970, 0, 1), latest: Date.UTC(9999, 11, 31, 23, 59, 59, 999) },
} as const;
