import { KmsError } from '@qnsp/kms-core';
import type { KeyMigrationRecord, MigrationPage, MigrationQuery, MigrationRecords } from '@qnsp/kms-core/ports';
import type { Row } from './database.ts';
import { fromText, toText } from './record-text.ts';
import type { Unit } from './unit.ts';

export class SqliteMigrations implements MigrationRecords {
  readonly #unit: Unit;

  constructor(unit: Unit) {
    this.#unit = unit;
  }

  async insert(migration: KeyMigrationRecord): Promise<void> {
    const { migrationId, tenantId, state, createdAt, dueAt, revision } = migration;
    this.#unit.requireSeen(tenantId);
    this.#unit.requireActive(tenantId);
    const { database } = this.#unit;
    if (database.row('select 1 from migrations where migration_id = ?', migrationId) !== undefined)
      throw new KmsError('CONFLICT', 'The id of the migration was used before.');
    const running = `select 1 from migrations where tenant_id = ? and state = 'running'`;
    if (state === 'running' && database.row(running, tenantId) !== undefined)
      throw new KmsError('CONFLICT', 'A migration of the tenant is running.');
    database.run(
      'insert into migrations values (?, ?, ?, ?, ?, ?, ?)',
      migrationId,
      tenantId,
      state,
      createdAt.getTime(),
      dueAt.getTime(),
      revision,
      toText(migration),
    );
  }

  /** Units run one after another, so every migration is locked. */
  async get(migrationId: string): Promise<KeyMigrationRecord | undefined> {
    const row = this.#unit.database.row(
      'select record from migrations where migration_id = ?1 and (?2 is null or tenant_id = ?2)',
      migrationId,
      this.#unit.only,
    );
    return row && toMigration(row);
  }

  async list({ limit, after }: MigrationQuery): Promise<MigrationPage> {
    const rows = this.#unit.database.rows(
      `select record from migrations where (?1 is null or tenant_id = ?1)
        and (?2 is null or (created_at, migration_id) < (?2, ?3)) order by created_at desc, migration_id desc limit ?4`,
      this.#unit.only,
      after?.createdAt.getTime() ?? null,
      after?.migrationId ?? null,
      limit + 1,
    );
    return { items: rows.slice(0, limit).map(toMigration), more: rows.length > limit };
  }

  async update(migration: KeyMigrationRecord): Promise<void> {
    const { migrationId, state, endedAt, progress, holder, dueAt, revision, mac } = migration;
    const current = await this.get(migrationId);
    if (current?.state !== 'running' || current.revision !== revision - 1)
      throw new KmsError('CONFLICT', 'The migration changed at the same moment, or has ended.');
    this.#unit.database.run(
      'update migrations set state = ?, due_at = ?, revision = ?, record = ? where migration_id = ?',
      state,
      dueAt.getTime(),
      revision,
      toText({ ...current, state, endedAt, progress, holder, dueAt, revision, mac }),
      migrationId,
    );
  }

  async lockDue(limit: number, except: readonly string[]): Promise<readonly KeyMigrationRecord[]> {
    this.#unit.requireSystem();
    const rows = this.#unit.database.rows(
      `select m.record from migrations m join tenants t using (tenant_id) where m.state = 'running' and m.due_at <= ?
        and t.state = 'active' and m.migration_id not in (select value from json_each(?)) order by m.due_at, m.migration_id limit ?`,
      this.#unit.now.getTime(),
      JSON.stringify(except),
      limit,
    );
    return rows.map(toMigration);
  }

  async removeEnded(keep: number): Promise<void> {
    this.#unit.database.run(
      `delete from migrations where migration_id in (
        select migration_id from (
          select migration_id, row_number() over (partition by tenant_id order by created_at desc, migration_id desc) as place
          from migrations where state <> 'running' and (?1 is null or tenant_id = ?1)
        ) where place > ?2
      )`,
      this.#unit.only,
      keep,
    );
  }
}

function toMigration(row: Row): KeyMigrationRecord {
  // As insert and update wrote it, or its MAC is wrong.
  return fromText(row['record']) as KeyMigrationRecord;
}
