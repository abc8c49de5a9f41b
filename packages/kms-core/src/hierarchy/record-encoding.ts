import { hash } from 'node:crypto';
import { type Field, lengthPrefixed } from '../encoding/length-prefixed.ts';
import type { KeyVersionRecord, UnsignedKeyRecord } from '../model/key.ts';

/**
 * The bytes of a key record that its MAC covers: every field, so that who can only write to the database can not bring a
 * revoked key back, widen a policy, lift a limit or swap a version.
 */
export function encodeKeyRecord(record: UnsignedKeyRecord): Buffer {
  const { rotation, usageLimits, revocation } = record;
  return lengthPrefixed([
    'qnsp-kms/v1/key-record',
    record.tenantId,
    record.keyId,
    record.name,
    record.algorithm,
    record.purpose,
    record.protectionLevel,
    record.state,
    record.stateBeforeDestroy,
    revocation === null ? null : lengthPrefixed([revocation.reason, revocation.at.getTime()]),
    record.currentVersion,
    rotation.periodSeconds,
    rotation.auto,
    rotation.retainVersions,
    instant(rotation.nextRotationAt),
    usageLimits.maxOperations,
    instant(usageLimits.expiresAt),
    record.policy === null ? null : canonicalJson(record.policy),
    canonicalJson(record.metadata),
    record.parentKeyId,
    record.revision,
    instant(record.createdAt),
    instant(record.updatedAt),
    instant(record.destroyAt),
    record.versions.length,
    ...record.versions.map(encodeVersion),
  ]);
}

function encodeVersion(version: KeyVersionRecord): Buffer {
  const { material } = version;
  return lengthPrefixed([
    version.version,
    version.state,
    version.algorithm,
    version.origin,
    version.provider,
    material.kind,
    material.kind === 'sealed' ? material.tmkVersion : null,
    material.kind === 'sealed' ? hash('sha256', material.sealed, 'buffer') : null,
    material.kind === 'resident' ? material.handle : null,
    version.publicKey,
    instant(version.createdAt),
  ]);
}

function instant(at: Date | null): Field {
  return at === null ? null : at.getTime();
}

/**
 * JSON with the members of every object in the order of their names: the same value gives the same text, also after
 * the database has stored it as `jsonb`, which reorders members.
 */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_name, member: unknown) => {
    if (member === null || typeof member !== 'object' || Array.isArray(member)) return member;
    return Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
