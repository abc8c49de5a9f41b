import { KmsError } from '../errors/kms-error.ts';
import { masterKeyRetired } from '../errors/newer-master-key.ts';
import { type QuotaKind, requireRoom } from '../errors/quota-exceeded.ts';
import type { AuditEvent } from '../model/audit-event.ts';
import type { ApiTokenRecord } from '../access/api-token.ts';
import type { ApprovalRecord } from '../model/approval.ts';
import type { IdentityBindingRecord, IdentityDenialRecord } from '../access/identity-binding.ts';
import { SYSTEM_TENANT, type TenantId } from '../model/identifiers.ts';
import type { KeyMigrationRecord } from '../model/key-migration.ts';
import type { KeyRecord } from '../model/key.ts';
import type { MasterKeyWrap, RootRecord, TenantRecord } from '../model/tenant.ts';
import type { StoreChange } from '../ports/change-feed.ts';
import type { IdempotencyRecord, ResidentClaim, Room, StoreScope, VersionUse } from '../ports/store.ts';

/** What the in-memory store holds. */
export interface MemoryTables {
  readonly keys: Map<string, KeyRecord>;
  readonly tenants: Map<string, TenantRecord>;
  readonly wraps: Map<string, MasterKeyWrap>;
  /** The first version of its master key that is left to a tenant. */
  readonly oldest: Map<TenantId, number>;
  readonly roots: Map<string, RootRecord>;
  readonly tokens: Map<string, ApiTokenRecord>;
  /** When tokens were last used, by id. */
  readonly uses: Map<string, Date>;
  readonly bindings: Map<string, IdentityBindingRecord>;
  readonly denials: Map<string, IdentityDenialRecord>;
  /** The operations granted so far, by key and version. */
  readonly granted: Map<string, number>;
  /** When versions were last used, by key and version. */
  readonly versionUses: Map<string, VersionUse>;
  /** Operations by tenant and month. */
  readonly operations: Map<string, number>;
  readonly approvals: Map<string, ApprovalRecord>;
  readonly answers: Map<string, StoredAnswer>;
  readonly evidence: AuditEvent[];
  readonly claims: Map<string, ResidentClaim>;
  readonly migrations: Map<string, KeyMigrationRecord>;
}

interface StoredAnswer extends Omit<IdempotencyRecord, 'answer' | 'expiresAt'> {
  readonly tenantId: TenantId;
  /** `null` while the key is claimed and not completed. */
  readonly answer: Uint8Array | null;
  readonly expiresAt: Date | null;
}

/** One running unit of work: its own tables, which replace the shared ones when it ends well. */
export interface MemoryUnit {
  readonly scope: StoreScope;
  readonly now: Date;
  /** The tables of the unit. Throws `INTERNAL_ERROR` when it has ended. */
  tables(): MemoryTables;
  /** After a call that failed with anything but `CONFLICT`: nothing of the unit is kept. */
  fail(error: unknown): void;
}

export function emptyTables(): MemoryTables {
  return {
    keys: new Map(),
    tenants: new Map(),
    wraps: new Map(),
    oldest: new Map(),
    roots: new Map(),
    tokens: new Map(),
    uses: new Map(),
    bindings: new Map(),
    denials: new Map(),
    granted: new Map(),
    versionUses: new Map(),
    operations: new Map(),
    approvals: new Map(),
    answers: new Map(),
    evidence: [],
    claims: new Map(),
    migrations: new Map(),
  };
}

/** Refuses what belongs to a tenant that does not exist, or was shredded. */
export function requireActiveTenant({ tenants }: MemoryTables, tenantId: TenantId): void {
  const tenant = tenants.get(tenantId);
  if (tenant === undefined) throw new KmsError('INTERNAL_ERROR', 'The tenant does not exist.');
  if (tenant.state === 'shredded') throw new KmsError('CONFLICT', 'The tenant was shredded.');
}

/** Refuses what is under a version of a tenant's master key that was destroyed. */
export function requireLiveMasterKey({ oldest }: MemoryTables, tenantId: TenantId, tmkVersion: number): void {
  if (tmkVersion < (oldest.get(tenantId) ?? 1)) throw masterKeyRetired();
}

/** Refuses one more than there is room for, and with it the whole unit. */
export function requireRoomFor(unit: MemoryUnit, kind: QuotaKind, used: number, room: Room): void {
  try {
    requireRoom(kind, used, room.atMost);
  } catch (error) {
    unit.fail(error);
    throw error;
  }
}

/** New maps of the same records, which nobody changes in place. */
export function draftOf(tables: MemoryTables): MemoryTables {
  return {
    keys: new Map(tables.keys),
    tenants: new Map(tables.tenants),
    wraps: new Map(tables.wraps),
    oldest: new Map(tables.oldest),
    roots: new Map(tables.roots),
    tokens: new Map(tables.tokens),
    uses: new Map(tables.uses),
    bindings: new Map(tables.bindings),
    denials: new Map(tables.denials),
    granted: new Map(tables.granted),
    versionUses: new Map(tables.versionUses),
    operations: new Map(tables.operations),
    approvals: new Map(tables.approvals),
    answers: new Map(tables.answers),
    evidence: [...tables.evidence],
    claims: new Map(tables.claims),
    migrations: new Map(tables.migrations),
  };
}

/** What a unit of work changed: records are replaced, never changed in place. What it added is not a change, but of identities. */
export function changesBetween(before: MemoryTables, after: MemoryTables): readonly StoreChange[] {
  return [
    ...changedNames(before.keys, after.keys).map((keyId) => ({ kind: 'key', keyId }) as const),
    ...changedNames(before.tokens, after.tokens).map((tokenId) => ({ kind: 'token', tokenId }) as const),
    ...changedNames(before.tenants, after.tenants).map((tenantId) => ({ kind: 'tenant', tenantId }) as const),
    ...changedIdentities(before.bindings, after.bindings),
    ...changedIdentities(before.denials, after.denials),
  ];
}

/** Also what was added: it changes what is known of somebody. */
function changedIdentities(
  before: ReadonlyMap<string, { readonly foundBy: Uint8Array }>,
  after: ReadonlyMap<string, { readonly foundBy: Uint8Array }>,
): readonly StoreChange[] {
  const changed = [...before, ...after].filter(([id]) => before.get(id) !== after.get(id));
  const names = new Set(changed.map(([, { foundBy }]) => Buffer.from(foundBy).toString('hex')));
  return [...names].map((foundBy) => ({ kind: 'identity', foundBy }));
}

function changedNames(before: ReadonlyMap<string, object>, after: ReadonlyMap<string, object>): string[] {
  return [...before].filter(([name, record]) => after.get(name) !== record).map(([name]) => name);
}

/** Whether a scope may see the rows of a tenant, or with `null` those of the service itself. */
export function sees(scope: StoreScope, tenantId: TenantId | null): boolean {
  return scope.kind === 'system' || scope.tenantId === tenantId;
}

/** The tenant under which a scope keeps rows of its own. */
export function ownerOf(scope: StoreScope): TenantId {
  return scope.kind === 'system' ? SYSTEM_TENANT : scope.tenantId;
}

export function requireSeen(scope: StoreScope, tenantId: TenantId | null): void {
  if (sees(scope, tenantId)) return;
  throw new KmsError('TENANT_MISMATCH', 'The record belongs to another tenant than the unit of work.');
}

export function requireSystem(scope: StoreScope): void {
  if (scope.kind !== 'system')
    throw new KmsError('INTERNAL_ERROR', 'Only a unit of work in the system scope may do this.');
}

/** A copy that shares no bytes, dates, objects or arrays with the original. */
export function copyOf<T>(value: T): T {
  // The copy has the shape of the original: every branch answers the type that it was given.
  return copy(value) as T;
}

function copy(value: unknown): unknown {
  if (value instanceof Uint8Array) return Uint8Array.from(value);
  if (value instanceof Date) return new Date(value.getTime());
  if (Array.isArray(value)) return value.map(copy);
  if (value === null || typeof value !== 'object') return value;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(members.map(([name, member]) => [name, copy(member)]));
}
