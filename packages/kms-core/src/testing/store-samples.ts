import { randomBytes } from 'node:crypto';
import type { ApprovalRecord } from '../model/approval.ts';
import type { ApiTokenRecord } from '../access/api-token.ts';
import type { IdentityBindingRecord, IdentityDenialRecord } from '../access/identity-binding.ts';
import { newId, SYSTEM_TENANT, type TenantId } from '../model/identifiers.ts';
import { firstPass, type KeyMigrationRecord } from '../model/key-migration.ts';
import type { KeyRecord, KeyVersionRecord, RecordMac } from '../model/key.ts';
import { NO_FIELDS } from '../model/record-fields.ts';
import type { MasterKeyWrap, RootRecord, TenantRecord } from '../model/tenant.ts';
import type { Store, StoreScope, UnitOfWork } from '../ports/store.ts';

/** The scope of units of work of the service itself. */
export const SYSTEM: StoreScope = { kind: 'system' };

/** The scope of units of work of a tenant. */
export function scopeOf(tenantId: TenantId): StoreScope {
  return { kind: 'tenant', tenantId };
}

/** Bytes of which no two calls answer the same. */
export function someBytes(length: number): Uint8Array {
  return new Uint8Array(randomBytes(length));
}

/** A MAC of which no two calls answer the same. */
export function sampleMac(change: Partial<RecordMac> = {}): RecordMac {
  return { format: 2, tmkVersion: 1, tag: someBytes(32), ...change };
}

/** A version as key generation makes it: active, sealed under the first master key. */
export function sampleVersion(version: number, change: Partial<KeyVersionRecord> = {}): KeyVersionRecord {
  return {
    version,
    state: 'active',
    algorithm: 'aes-256-gcm',
    origin: 'generated',
    provider: 'software',
    material: { kind: 'sealed', tmkVersion: 1, sealed: someBytes(60) },
    publicKey: null,
    createdAt: new Date('2026-03-01T10:00:00.001Z'),
    fields: NO_FIELDS,
    ...change,
  };
}

/** A key as `create` makes it, with one version. */
export function sampleKey(tenantId: TenantId, change: Partial<KeyRecord> = {}): KeyRecord {
  return {
    tenantId,
    keyId: newId(),
    name: null,
    algorithm: 'aes-256-gcm',
    purpose: 'encryption',
    protectionLevel: 'software',
    state: 'active',
    stateBeforeDestroy: null,
    revocation: null,
    currentVersion: 1,
    versions: [sampleVersion(1)],
    rotation: { periodSeconds: null, auto: false, retainVersions: null, nextRotationAt: null },
    usageLimits: { maxOperations: null, expiresAt: null },
    policy: null,
    metadata: {},
    parentKeyId: null,
    revision: 1,
    createdAt: new Date('2026-03-01T10:00:00.001Z'),
    updatedAt: new Date('2026-03-01T10:00:00.001Z'),
    destroyAt: null,
    fields: NO_FIELDS,
    mac: sampleMac(),
    ...change,
  };
}

/** The same key one revision later. */
export function nextRevision(key: KeyRecord, change: Partial<KeyRecord> = {}): KeyRecord {
  return {
    ...key,
    updatedAt: new Date(key.updatedAt.getTime() + 1),
    mac: sampleMac(),
    ...change,
    revision: key.revision + 1,
  };
}

/** The key after a rotation: the active version superseded by a new one. */
export function rotated(key: KeyRecord): KeyRecord {
  const version = key.currentVersion + 1;
  const superseded = key.versions.map(
    (old): KeyVersionRecord => (old.state === 'active' ? { ...old, state: 'decrypt-only' } : old),
  );
  return nextRevision(key, { currentVersion: version, versions: [...superseded, sampleVersion(version)] });
}

/** The key after its destruction. */
export function destroyed(key: KeyRecord): KeyRecord {
  const versions = key.versions.map(
    (version): KeyVersionRecord => ({ ...version, state: 'destroyed', material: { kind: 'none' } }),
  );
  return nextRevision(key, { state: 'destroyed', stateBeforeDestroy: null, destroyAt: null, versions });
}

/** An API token that a store takes; `change` replaces fields. */
export function sampleToken(tenantId: TenantId | null, change: Partial<ApiTokenRecord> = {}): ApiTokenRecord {
  return {
    tokenId: newId(),
    tenantId,
    name: 'deploy',
    hash: someBytes(32),
    role: 'key_user',
    permissions: [],
    createdAt: new Date('2026-03-01T10:00:00.001Z'),
    expiresAt: null,
    revokedAt: null,
    fields: NO_FIELDS,
    mac: sampleMac(),
    ...change,
  };
}

/** The token as it is after its revocation. */
export function revoked(token: ApiTokenRecord, at: Date): ApiTokenRecord {
  return { ...token, revokedAt: at, mac: sampleMac({ tmkVersion: 2 }) };
}

/** An identity binding that a store takes; `change` replaces fields. */
export function sampleBinding(tenantId: TenantId, change: Partial<IdentityBindingRecord> = {}): IdentityBindingRecord {
  return {
    bindingId: newId(),
    tenantId,
    issuer: 'https://issuer.example',
    match: { sub: 'orders' },
    foundBy: someBytes(32),
    role: 'key_user',
    permissions: [],
    keys: null,
    createdAt: new Date('2026-03-01T10:00:00.001Z'),
    createdBy: 'somebody',
    expiresAt: null,
    removedAt: null,
    fields: NO_FIELDS,
    mac: sampleMac(),
    ...change,
  };
}

/** A denial of an identity that a store takes; `change` replaces fields. */
export function sampleDenial(tenantId: TenantId, change: Partial<IdentityDenialRecord> = {}): IdentityDenialRecord {
  return {
    denialId: newId(),
    tenantId,
    issuer: 'https://issuer.example',
    claim: 'sub',
    value: 'orders',
    foundBy: someBytes(32),
    before: new Date('2026-03-01T10:00:00.001Z'),
    endsAt: new Date('2999-03-01T10:00:00.001Z'),
    createdAt: new Date('2026-03-01T10:00:00.001Z'),
    createdBy: 'somebody',
    fields: NO_FIELDS,
    mac: sampleMac(),
    ...change,
  };
}

/** A running migration that a store takes; `change` replaces fields. */
export function sampleMigration(tenantId: TenantId, change: Partial<KeyMigrationRecord> = {}): KeyMigrationRecord {
  return {
    tenantId,
    migrationId: newId(),
    state: 'running',
    createdAt: new Date('2026-03-01T10:00:00.001Z'),
    endedAt: null,
    order: {
      selector: { algorithm: 'ed25519', keyIds: [newId()] },
      target: 'quantum-safe',
      starter: { subject: 'somebody', ip: null, mfa: true },
    },
    progress: firstPass(3),
    holder: null,
    dueAt: new Date('2026-03-01T10:00:00.001Z'),
    revision: 1,
    mac: sampleMac(),
    ...change,
  };
}

/** An approval that waits for one decision, as a store keeps it. */
export function sampleApproval(tenantId: TenantId, change: Partial<ApprovalRecord> = {}): ApprovalRecord {
  return {
    approvalId: newId(),
    tenantId,
    fingerprint: someBytes(32),
    state: 'pending',
    createdAt: new Date('2026-03-01T10:00:00.001Z'),
    expiresAt: new Date('2999-03-01T10:00:00.001Z'),
    content: '{"operation":"destroyKey"}',
    mac: sampleMac(),
    ...change,
  };
}

/** A root that several tests share. */
export const SAMPLE_ROOT: RootRecord = { providerId: 'software', checkValue: 'c0ffee' };

/** Starts using a root, unless it is already in use. */
export async function useRoot(store: Store, root: RootRecord = SAMPLE_ROOT): Promise<void> {
  await store.transact(SYSTEM, async (unit) => {
    await unit.tenants.lockRoots();
    const known = await unit.tenants.roots();
    if (known.some(({ providerId, checkValue }) => providerId === root.providerId && checkValue === root.checkValue))
      return;
    await unit.tenants.addRoot(root);
  });
}

/** The wrap of a first master key under {@link SAMPLE_ROOT}. */
export function sampleWrap(tenantId: TenantId, change: Partial<MasterKeyWrap> = {}): MasterKeyWrap {
  const { providerId, checkValue: rootCheckValue } = SAMPLE_ROOT;
  return { tenantId, tmkVersion: 1, providerId, rootCheckValue, format: 1, wrapped: someBytes(60), ...change };
}

/** A tenant from before records of tenants had a MAC. */
export function sampleTenant(tenantId: TenantId, change: Partial<TenantRecord> = {}): TenantRecord {
  const createdAt = new Date('2026-03-01T10:00:00.001Z');
  return { tenantId, name: 'sample', state: 'active', createdAt, fields: NO_FIELDS, mac: null, ...change };
}

/** The tenant as a shred leaves it. */
export function shreddedTenant(tenantId: TenantId): TenantRecord {
  return sampleTenant(tenantId, { state: 'shredded', mac: sampleMac() });
}

/** Adds an active tenant that no other test knows. */
export async function newTenant(store: Store): Promise<TenantId> {
  const tenantId = newId();
  await store.transact(SYSTEM, (unit) => unit.tenants.insert(sampleTenant(tenantId, { createdAt: unit.now })));
  return tenantId;
}

/** Adds the tenant under which the service keeps what is its own, unless it is there. */
export async function systemTenant(store: Store): Promise<void> {
  await store.transact(SYSTEM, async (unit) => {
    await unit.tenants.lockRoots();
    if ((await unit.tenants.get(SYSTEM_TENANT)) === undefined)
      await unit.tenants.insert(sampleTenant(SYSTEM_TENANT, { createdAt: unit.now }));
  });
}

/** Adds a key in a unit of its own and answers it. */
export async function insertKey(store: Store, key: KeyRecord): Promise<KeyRecord> {
  await store.transact(scopeOf(key.tenantId), (unit) => unit.keys.insert(key));
  return key;
}

/** Runs one unit of work for a tenant. */
export function asTenant<T>(store: Store, tenantId: TenantId, work: (unit: UnitOfWork) => Promise<T>): Promise<T> {
  return store.transact(scopeOf(tenantId), work);
}

/**
 * A record as plain values, so that two of them are equal only when every field is, bytes and instants included, and
 * only when the bytes are `Uint8Array`s and the instants `Date`s.
 */
export function comparable(value: unknown): unknown {
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('hex')}`;
  if (value instanceof Date) return `instant ${value.getTime()}`;
  if (Array.isArray(value)) return value.map(comparable);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, comparable(member)]));
}
