import { type KeyPurpose, PURPOSE_OPERATIONS } from '../algorithms/registry.ts';
import { algorithmById } from '../algorithms/resolve.ts';
import type { KeyState, VersionState } from './states.ts';
import { formatDuration } from './iso-duration.ts';
import type { KeyRecord, ProtectionLevel } from './key.ts';
import type { Metadata } from './metadata.ts';
import { fieldOf, KEY_DESTROY_GUARD, KEY_REQUIRE_APPROVAL } from './record-fields.ts';

/** A key as it is shown: no material, and every value JSON, so that it can be stored and replayed. */
export interface KeyDescription {
  readonly keyId: string;
  readonly tenantId: string;
  readonly name: string | null;
  readonly algorithm: string;
  readonly algorithmNist: string;
  readonly purpose: KeyPurpose;
  readonly purposes: readonly KeyPurpose[];
  readonly protectionLevel: ProtectionLevel;
  readonly provider: string;
  readonly state: KeyState;
  readonly currentVersion: number;
  readonly versions: readonly VersionDescription[];
  readonly rotation: {
    readonly rotationPeriod: string | null;
    readonly autoRotate: boolean;
    readonly retainVersions: number | null;
    readonly nextRotationAt: string | null;
  };
  readonly usageLimits: { readonly maxOperations: number | null; readonly expiresAt: string | null };
  readonly metadata: Metadata;
  readonly parentKeyId: string | null;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly destroyAt: string | null;
  readonly revocation?: { readonly reason: string; readonly revokedAt: string };
  /** For how many days after its last use it is destroyed only by who acknowledges that use; absent without a guard of its own. */
  readonly destroyGuardDays?: number;
  /** How many others have to approve what cannot be undone; absent where the key itself asks for nobody. */
  readonly requireApproval?: number;
  /** What was done differently from what was asked, and the last use of a key that is destroyed, for the caller to read. */
  readonly warnings?: readonly string[];
}

/** A version of a key as it is shown: its state and where its material is, and nothing of the material. */
export interface VersionDescription {
  readonly version: number;
  readonly state: VersionState;
  readonly algorithm: string;
  readonly origin: 'generated' | 'imported';
  readonly createdAt: string;
}

/** Shows a key. */
export function describeKey(record: KeyRecord, warnings: readonly string[] = []): KeyDescription {
  const algorithm = algorithmById(record.algorithm);
  const { rotation, usageLimits, revocation } = record;
  const destroyGuardDays = fieldOf(record.fields, KEY_DESTROY_GUARD);
  const requireApproval = fieldOf(record.fields, KEY_REQUIRE_APPROVAL);
  const current = record.versions.find((version) => version.version === record.currentVersion);
  return {
    keyId: record.keyId,
    tenantId: record.tenantId,
    name: record.name,
    algorithm: algorithm.id,
    algorithmNist: algorithm.standardName,
    purpose: record.purpose,
    purposes: algorithm.purposes.filter((purpose) => isWithin(purpose, record.purpose)),
    protectionLevel: record.protectionLevel,
    provider: current?.provider ?? '',
    state: record.state,
    currentVersion: record.currentVersion,
    versions: record.versions.map(({ version, state, algorithm: id, origin, createdAt }) => ({
      version,
      state,
      algorithm: id,
      origin,
      createdAt: createdAt.toISOString(),
    })),
    rotation: {
      rotationPeriod: rotation.periodSeconds === null ? null : formatDuration(rotation.periodSeconds),
      autoRotate: rotation.auto,
      retainVersions: rotation.retainVersions,
      nextRotationAt: rotation.nextRotationAt?.toISOString() ?? null,
    },
    usageLimits: { maxOperations: usageLimits.maxOperations, expiresAt: usageLimits.expiresAt?.toISOString() ?? null },
    metadata: record.metadata,
    parentKeyId: record.parentKeyId,
    revision: record.revision,
    createdAt: record.createdAt.toISOString(),
    updatedAt: record.updatedAt.toISOString(),
    destroyAt: record.destroyAt?.toISOString() ?? null,
    ...(revocation === null
      ? {}
      : { revocation: { reason: revocation.reason, revokedAt: revocation.at.toISOString() } }),
    ...(destroyGuardDays === undefined ? {} : { destroyGuardDays }),
    ...(requireApproval === undefined ? {} : { requireApproval }),
    ...(warnings.length === 0 ? {} : { warnings }),
  };
}

/** Whether all that a purpose stands for is among the operations of the key's purpose. */
function isWithin(purpose: KeyPurpose, of: KeyPurpose): boolean {
  return PURPOSE_OPERATIONS[purpose].every((operation) => PURPOSE_OPERATIONS[of].includes(operation));
}
