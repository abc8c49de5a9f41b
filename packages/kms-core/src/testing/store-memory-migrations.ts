import { KmsError } from '../errors/kms-error.ts';
import type { KeyMigrationRecord } from '../model/key-migration.ts';
import type { MigrationPage, MigrationQuery, MigrationRecords } from '../ports/migration-records.ts';
import {
  copyOf,
  type MemoryUnit,
  requireActiveTenant,
  requireSeen,
  requireSystem,
  sees,
} from './store-memory-tables.ts';

export class MemoryMigrations implements MigrationRecords {
  readonly #unit: MemoryUnit;

  constructor(unit: MemoryUnit) {
    this.#unit = unit;
  }

  async insert(migration: KeyMigrationRecord): Promise<void> {
    const { tenantId, migrationId } = migration;
    requireSeen(this.#unit.scope, tenantId);
    const tables = this.#unit.tables();
    requireActiveTenant(tables, tenantId);
    const { migrations } = tables;
    if (migrations.has(migrationId)) throw new KmsError('CONFLICT', 'The id of the migration was used before.');
    const isRunning = (other: KeyMigrationRecord) => other.tenantId === tenantId && other.state === 'running';
    if (isRunning(migration) && [...migrations.values()].some(isRunning))
      throw new KmsError('CONFLICT', 'A migration of the tenant is running.');
    migrations.set(migrationId, copyOf(migration));
  }

  async get(migrationId: string): Promise<KeyMigrationRecord | undefined> {
    const migration = this.#unit.tables().migrations.get(migrationId);
    return migration === undefined || !sees(this.#unit.scope, migration.tenantId) ? undefined : copyOf(migration);
  }

  async list({ limit, after }: MigrationQuery): Promise<MigrationPage> {
    const behind = this.#visible()
      .filter((migration) => !after || newestFirst(after, migration) < 0)
      .sort(newestFirst);
    return { items: behind.slice(0, limit).map(copyOf), more: behind.length > limit };
  }

  async update({
    migrationId,
    state,
    endedAt,
    progress,
    holder,
    dueAt,
    revision,
    mac,
  }: KeyMigrationRecord): Promise<void> {
    const current = await this.get(migrationId);
    if (current?.state !== 'running' || current.revision !== revision - 1)
      throw new KmsError('CONFLICT', 'The migration changed at the same moment, or has ended.');
    const next = { ...current, state, endedAt, progress, holder, dueAt, revision, mac };
    this.#unit.tables().migrations.set(migrationId, copyOf(next));
  }

  async lockDue(limit: number, except: readonly string[]): Promise<readonly KeyMigrationRecord[]> {
    requireSystem(this.#unit.scope);
    const { tenants } = this.#unit.tables();
    return this.#visible()
      .filter(({ state, dueAt }) => state === 'running' && dueAt <= this.#unit.now)
      .filter(({ tenantId, migrationId }) => tenants.get(tenantId)?.state === 'active' && !except.includes(migrationId))
      .sort((a, b) => a.dueAt.getTime() - b.dueAt.getTime() || (a.migrationId < b.migrationId ? -1 : 1))
      .slice(0, limit)
      .map(copyOf);
  }

  async removeEnded(keep: number): Promise<void> {
    const { migrations } = this.#unit.tables();
    const ended = this.#visible()
      .filter(({ state }) => state !== 'running')
      .sort(newestFirst);
    for (const ofTenant of Map.groupBy(ended, ({ tenantId }) => tenantId).values())
      for (const { migrationId } of ofTenant.slice(keep)) migrations.delete(migrationId);
  }

  #visible(): KeyMigrationRecord[] {
    return [...this.#unit.tables().migrations.values()].filter(({ tenantId }) => sees(this.#unit.scope, tenantId));
  }
}

type Place = NonNullable<MigrationQuery['after']>;

function newestFirst(a: Place, b: Place): number {
  const lastFirst = a.migrationId < b.migrationId ? 1 : a.migrationId > b.migrationId ? -1 : 0;
  return b.createdAt.getTime() - a.createdAt.getTime() || lastFirst;
}
