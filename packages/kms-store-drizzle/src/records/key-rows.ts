import type { VersionMaterial } from '@qnsp/kms-core/internal';
import type { KeyRecord, KeyVersionRecord } from '@qnsp/kms-core/ports';
import { macColumns } from './mac-columns.ts';
import type { keyVersions } from '../schema/key-versions.ts';
import type { keyRecords, keys, StoredVersion } from '../schema/keys.ts';
import { versionsIn } from './version-texts.ts';

/** The row of a key. */
export function toKeyRow(key: KeyRecord): typeof keys.$inferInsert {
  return {
    keyId: key.keyId,
    tenantId: key.tenantId,
    name: key.name,
    algorithm: key.algorithm,
    purpose: key.purpose,
    protectionLevel: key.protectionLevel,
    state: key.state,
    stateBeforeDestroy: key.stateBeforeDestroy,
    revocationReason: key.revocation?.reason ?? null,
    revokedAt: key.revocation?.at ?? null,
    currentVersion: key.currentVersion,
    rotationPeriodSeconds: key.rotation.periodSeconds,
    rotationAuto: key.rotation.auto,
    retainVersions: key.rotation.retainVersions,
    nextRotationAt: key.rotation.nextRotationAt,
    maxOperations: key.usageLimits.maxOperations,
    expiresAt: key.usageLimits.expiresAt,
    policy: key.policy,
    metadata: key.metadata,
    parentKeyId: key.parentKeyId,
    revision: key.revision,
    createdAt: key.createdAt,
    updatedAt: key.updatedAt,
    destroyAt: key.destroyAt,
    ...macColumns(key.mac),
    fields: key.fields,
  };
}

/** The row of a version. */
export function toVersionRow(key: KeyRecord, version: KeyVersionRecord): typeof keyVersions.$inferInsert {
  const { material } = version;
  return {
    tenantId: key.tenantId,
    keyId: key.keyId,
    version: version.version,
    state: version.state,
    algorithm: version.algorithm,
    origin: version.origin,
    provider: version.provider,
    materialKind: material.kind,
    tmkVersion: material.kind === 'sealed' ? material.tmkVersion : null,
    sealed: material.kind === 'sealed' ? material.sealed : null,
    handle: material.kind === 'resident' ? material.handle : null,
    publicKey: version.publicKey,
    createdAt: version.createdAt,
    fields: version.fields,
  };
}

/** The key of a row of `key_records`. */
export function toKeyRecord(row: typeof keyRecords.$inferSelect): KeyRecord {
  return keyOf(row, row.versions.map(toVersionRecord));
}

/** The key of a row that {@link WHOLE_KEY} was selected for. */
export function toWholeKey(row: typeof keys.$inferSelect & { readonly versions: string | null }): KeyRecord {
  return keyOf(row, versionsIn(row.versions));
}

function keyOf(row: typeof keys.$inferSelect, versions: KeyRecord['versions']): KeyRecord {
  return {
    tenantId: row.tenantId,
    keyId: row.keyId,
    name: row.name,
    algorithm: row.algorithm,
    purpose: row.purpose,
    protectionLevel: row.protectionLevel,
    state: row.state,
    stateBeforeDestroy: row.stateBeforeDestroy,
    revocation:
      row.revocationReason === null || row.revokedAt === null
        ? null
        : { reason: row.revocationReason, at: row.revokedAt },
    currentVersion: row.currentVersion,
    versions,
    rotation: {
      periodSeconds: row.rotationPeriodSeconds,
      auto: row.rotationAuto,
      retainVersions: row.retainVersions,
      nextRotationAt: row.nextRotationAt,
    },
    usageLimits: { maxOperations: row.maxOperations, expiresAt: row.expiresAt },
    policy: row.policy,
    metadata: row.metadata,
    parentKeyId: row.parentKeyId,
    revision: row.revision,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
    destroyAt: row.destroyAt,
    fields: row.fields,
    mac: { format: row.macFormat, tmkVersion: row.macTmkVersion, tag: row.macTag },
  };
}

function toVersionRecord(stored: StoredVersion): KeyVersionRecord {
  return {
    version: stored.version,
    state: stored.state,
    algorithm: stored.algorithm,
    origin: stored.origin,
    provider: stored.provider,
    material: toMaterial(stored),
    publicKey: stored.publicKey === null ? null : bytes(stored.publicKey),
    createdAt: new Date(stored.createdAt),
    fields: stored.fields,
  };
}

function toMaterial({ tmkVersion, sealed, handle }: StoredVersion): VersionMaterial {
  if (sealed !== null && tmkVersion !== null) return { kind: 'sealed', tmkVersion, sealed: bytes(sealed) };
  if (handle !== null) return { kind: 'resident', handle: bytes(handle) };
  return { kind: 'none' };
}

/** PostgreSQL breaks base64 into lines; Node ignores that. */
function bytes(base64: string): Uint8Array {
  return Buffer.from(base64, 'base64');
}
