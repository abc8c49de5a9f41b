import { KmsError, SYSTEM_TENANT, type TenantId } from '@qnsp/kms-core';
import {
  type KeyRecord,
  masterKeyRetired,
  type QuotaKind,
  quotaExceeded,
  type StoreChange,
  type StoreScope,
} from '@qnsp/kms-core/ports';
import type { Database } from './database.ts';

/** What the records of one unit of work share. */
export class Unit {
  readonly scope: StoreScope;
  readonly now: Date;
  /** What it changed, in order, for the feed. */
  readonly changes: StoreChange[] = [];
  readonly #database: Database;
  #ended = false;

  constructor(database: Database, scope: StoreScope, now: Date) {
    this.#database = database;
    this.scope = scope;
    this.now = now;
  }

  get database(): Database {
    if (this.#ended) throw new KmsError('INTERNAL_ERROR', 'The unit of work has ended.');
    return this.#database;
  }

  end(): void {
    this.#ended = true;
  }

  /** The tenant whose rows alone may be seen; `null` in the system scope, which sees them all. */
  get only(): TenantId | null {
    return this.scope.kind === 'tenant' ? this.scope.tenantId : null;
  }

  /** The tenant under which the scope keeps rows of its own. */
  get owner(): TenantId {
    return this.only ?? SYSTEM_TENANT;
  }

  sees(tenantId: TenantId | null): boolean {
    return this.only === null || this.only === tenantId;
  }

  requireSeen(tenantId: TenantId | null): void {
    if (this.sees(tenantId)) return;
    throw new KmsError('TENANT_MISMATCH', 'The record belongs to another tenant than the unit of work.');
  }

  requireSystem(): void {
    if (this.only === null) return;
    throw new KmsError('INTERNAL_ERROR', 'Only a unit of work in the system scope may do this.');
  }

  /** Refuses what is under a version of a tenant's master key that was destroyed. Nothing of the unit is kept. */
  requireMasterKey(tenantId: TenantId, tmkVersion: number): void {
    const tenant = this.database.row('select oldest_tmk_version from tenants where tenant_id = ?', tenantId);
    if (tmkVersion >= Number(tenant?.['oldest_tmk_version'] ?? 1)) return;
    const error = masterKeyRetired();
    this.database.fail(error);
    throw error;
  }

  /** Refuses one more than there is room for, by a query for how many are used. Nobody adds any in between: units run one after another. */
  requireRoom(kind: QuotaKind, atMost: number | undefined, query: string, ...values: (string | number)[]): void {
    if (atMost === undefined) return;
    const used = Number(this.database.row(query, ...values)?.['used']);
    if (used < atMost) return;
    const error = quotaExceeded(kind, atMost, used);
    this.database.fail(error);
    throw error;
  }

  /** Refuses what belongs to a tenant that does not exist, or was shredded. */
  requireActive(tenantId: TenantId): void {
    const tenant = this.database.row('select state from tenants where tenant_id = ?', tenantId);
    if (tenant === undefined) throw new KmsError('INTERNAL_ERROR', 'The tenant does not exist.');
    if (tenant['state'] !== 'active') throw new KmsError('CONFLICT', 'The tenant was shredded.');
  }
}

/** The earliest version of the master key that a key names. */
export function earliestMasterKey({ mac, versions }: KeyRecord): number {
  const seals = versions.flatMap(({ material }) => (material.kind === 'sealed' ? material.tmkVersion : []));
  return Math.min(mac.tmkVersion, ...seals);
}
