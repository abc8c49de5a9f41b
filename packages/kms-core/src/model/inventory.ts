import { algorithmFacts } from '../algorithms/algorithm-facts.ts';
import type { Algorithm, KeyPurpose } from '../algorithms/registry.ts';
import { algorithmById } from '../algorithms/resolve.ts';
import type { PolicyViolation } from '../crypto-policy/policy-verdicts.ts';
import { formatDuration } from './iso-duration.ts';
import type { KeyRecord, KeyVersionRecord, ProtectionLevel, RevocationReason } from './key.ts';
import type { KeyState, VersionState } from './states.ts';

/** A version of a key in an inventory. Values are JSON. */
export interface InventoryVersion {
  readonly version: number;
  readonly state: VersionState;
  readonly origin: 'generated' | 'imported';
  /** The root or HSM provider that protects it. */
  readonly provider: string;
  /** The platform id. */
  readonly algorithm: string;
  /** The name of the algorithm in its standard. */
  readonly algorithmNist: string;
  readonly standard: string;
  /** See `AlgorithmFacts`; `null` for an imported key of a length that is not known. */
  readonly nistCategory: number | null;
  /** The strength in bits against classical computers; `null` as above. */
  readonly classicalBits: number | null;
  readonly quantumSafe: boolean;
  readonly fipsApproved: boolean;
  readonly createdAt: string;
  /** Whole days since then. */
  readonly ageDays: number;
  /** The messages that were counted against what it may protect, in blocks that nodes reserve; `null` where none are counted. */
  readonly countedMessages: number | null;
  /** The beginning of the hour in which it last protected something new; `null` where none is written down. */
  readonly lastProtectedAt: string | null;
  /** The same for what it protected earlier: decrypting, verifying, unwrapping. */
  readonly lastProcessedAt: string | null;
}

/** What the store knows of how a key was used, beside its record. */
export interface RecordedUses {
  /** Operations that were taken from budgets, by version, and by 0 for those of the whole key. */
  readonly counted: ReadonlyMap<number, number>;
  /** From when on it is written down when keys are used. */
  readonly since: Date;
  /** When versions were last used, to the hour. */
  readonly versions: readonly {
    readonly version: number;
    readonly protectedAt: Date | null;
    readonly processedAt: Date | null;
  }[];
}

/** A key in an inventory: what it is made of and how it is kept, and nothing of its material. Values are JSON. */
export interface InventoryKey {
  readonly tenantId: string;
  readonly keyId: string;
  readonly name: string | null;
  readonly state: KeyState;
  readonly purpose: KeyPurpose;
  /** Of the current version, as the next three. */
  readonly algorithm: string;
  readonly algorithmNist: string;
  readonly fipsApproved: boolean;
  readonly protectionLevel: ProtectionLevel;
  /** Whether every version that can still be used withstands a quantum computer. */
  readonly quantumSafe: boolean;
  readonly currentVersion: number;
  /** All versions, oldest first. */
  readonly versions: readonly InventoryVersion[];
  readonly rotation: {
    readonly rotationPeriod: string | null;
    readonly autoRotate: boolean;
    readonly nextRotationAt: string | null;
  };
  /** The operations that were counted against `maxOperations`, in blocks that nodes reserve; `null` where none are counted. */
  readonly countedOperations: number | null;
  readonly maxOperations: number | null;
  /** From when on it is written down when it is used: of what was before, nothing is known. */
  readonly usesSince: string;
  readonly expiresAt: string | null;
  readonly createdAt: string;
  /** Whole days since then. */
  readonly ageDays: number;
  readonly destroyAt: string | null;
  /** What of its further use violates the crypto policy of the service; absent where nothing does. */
  readonly policyViolations?: readonly PolicyViolation[];
  readonly revocation: { readonly reason: RevocationReason; readonly revokedAt: string } | null;
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** Shows a key in an inventory. */
export function describeInInventory(
  record: KeyRecord,
  uses: RecordedUses,
  now: Date,
  violations: readonly PolicyViolation[] = [],
): InventoryKey {
  const { rotation, usageLimits, revocation } = record;
  const algorithm = algorithmById(record.algorithm);
  const usable = record.versions.filter(({ state }) => state === 'active' || state === 'decrypt-only');
  return {
    tenantId: record.tenantId,
    keyId: record.keyId,
    name: record.name,
    state: record.state,
    purpose: record.purpose,
    algorithm: algorithm.id,
    algorithmNist: algorithm.standardName,
    fipsApproved: algorithm.fipsApproved,
    protectionLevel: record.protectionLevel,
    quantumSafe: [algorithm, ...usable.map((each) => algorithmById(each.algorithm))].every((each) => each.quantumSafe),
    currentVersion: record.currentVersion,
    versions: record.versions.map((version) => describeVersion(version, uses, now)),
    rotation: {
      rotationPeriod: rotation.periodSeconds === null ? null : formatDuration(rotation.periodSeconds),
      autoRotate: rotation.auto,
      nextRotationAt: rotation.nextRotationAt?.toISOString() ?? null,
    },
    countedOperations: uses.counted.get(0) ?? (usageLimits.maxOperations === null ? null : 0),
    maxOperations: usageLimits.maxOperations,
    usesSince: new Date(Math.max(uses.since.getTime(), record.createdAt.getTime())).toISOString(),
    expiresAt: usageLimits.expiresAt?.toISOString() ?? null,
    createdAt: record.createdAt.toISOString(),
    ageDays: daysBetween(record.createdAt, now),
    destroyAt: record.destroyAt?.toISOString() ?? null,
    ...(violations.length === 0 ? {} : { policyViolations: violations }),
    revocation: revocation === null ? null : { reason: revocation.reason, revokedAt: revocation.at.toISOString() },
  };
}

function describeVersion(record: KeyVersionRecord, { counted, versions }: RecordedUses, now: Date): InventoryVersion {
  const algorithm = algorithmById(record.algorithm);
  const { nistCategory, classicalBits } = algorithmFacts(algorithm);
  const isKnown = hasKnownLength(algorithm, record);
  const last = versions.find(({ version }) => version === record.version);
  const budget = record.material.kind === 'resident' ? algorithm.resident?.messageBudget : algorithm.messageBudget;
  return {
    version: record.version,
    state: record.state,
    origin: record.origin,
    provider: record.provider,
    algorithm: algorithm.id,
    algorithmNist: algorithm.standardName,
    standard: algorithm.reference,
    nistCategory: isKnown ? nistCategory : null,
    classicalBits: isKnown ? classicalBits : null,
    quantumSafe: algorithm.quantumSafe,
    fipsApproved: algorithm.fipsApproved,
    createdAt: record.createdAt.toISOString(),
    ageDays: daysBetween(record.createdAt, now),
    countedMessages: counted.get(record.version) ?? (budget === undefined ? null : 0),
    lastProtectedAt: last?.protectedAt?.toISOString() ?? null,
    lastProcessedAt: last?.processedAt?.toISOString() ?? null,
  };
}

/** Some algorithms take imported keys of several lengths, on which their strength depends. */
function hasKnownLength({ form }: Algorithm, { origin }: KeyVersionRecord): boolean {
  return origin === 'generated' || form.kind !== 'secret' || form.imported === undefined;
}

/** A clock that was put back makes nothing younger than new. */
function daysBetween(then: Date, now: Date): number {
  return Math.max(0, Math.floor((now.getTime() - then.getTime()) / DAY_MS));
}
