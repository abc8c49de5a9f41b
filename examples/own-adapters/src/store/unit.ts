import { KmsError, SYSTEM_TENANT, type TenantId } from '@qnsp/kms-core';
import type { StoreChange, StoreScope } from '@qnsp/kms-core/ports';
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

  /** Refuses what belongs to a tenant that does not exist, or was shredded. */
  requireActive(tenantId: TenantId): void {
    const tenant = this.database.row('select state from tenants where tenant_id = ?', tenantId);
    if (tenant === undefined) throw new KmsError('INTERNAL_ERROR', 'The tenant does not exist.');
    if (tenant['state'] !== 'active') throw new KmsError('CONFLICT', 'The tenant was shredded.');
  }
}
