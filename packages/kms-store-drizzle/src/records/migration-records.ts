import { KmsError } from '@qnsp/kms-core';
import type { KeyMigrationRecord, MigrationPage, MigrationQuery, MigrationRecords } from '@qnsp/kms-core/ports';
import { and, asc, desc, eq, lte, sql } from 'drizzle-orm';
import { requireSeen, requireSystem, within } from '../driver/scope.ts';
import type { Session } from '../driver/session.ts';
import { keyMigrations } from '../schema/key-migrations.ts';
import { tenants } from '../schema/tenants.ts';
import { macColumns, withMac, withMacColumns } from './mac-columns.ts';

/** In the words of the partial indexes. */
const RUNNING = sql`${keyMigrations.state} = 'running'`;

export class DrizzleMigrations implements MigrationRecords {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  async insert(migration: KeyMigrationRecord): Promise<void> {
    requireSeen(this.#session.scope, migration.tenantId);
    const inserted = await this.#session.run((db) =>
      db
        .insert(keyMigrations)
        .values(withMacColumns(migration))
        .onConflictDoNothing()
        .returning({ migrationId: keyMigrations.migrationId }),
    );
    if (inserted.length === 0)
      throw new KmsError('CONFLICT', 'A migration of the tenant is running, or the id was used before.');
  }

  async get(migrationId: string, options: { readonly lock?: boolean } = {}): Promise<KeyMigrationRecord | undefined> {
    const where = and(eq(keyMigrations.migrationId, migrationId), within(this.#session.scope, keyMigrations.tenantId));
    const [row] = await this.#session.run((db) => {
      const query = db.select().from(keyMigrations).where(where);
      return options.lock ? query.for('update') : query;
    });
    return row === undefined ? undefined : withMac(row);
  }

  async list({ limit, after }: MigrationQuery): Promise<MigrationPage> {
    const { createdAt, migrationId } = keyMigrations;
    const behind = after
      ? sql`(${createdAt}, ${migrationId}) < (${after.createdAt.toISOString()}::timestamptz, ${after.migrationId}::uuid)`
      : undefined;
    const rows = await this.#session.run((db) =>
      db
        .select()
        .from(keyMigrations)
        .where(and(within(this.#session.scope, keyMigrations.tenantId), behind))
        .orderBy(desc(createdAt), desc(migrationId))
        .limit(limit + 1),
    );
    return { items: rows.slice(0, limit).map(withMac), more: rows.length > limit };
  }

  async update(migration: KeyMigrationRecord): Promise<void> {
    const { migrationId, state, endedAt, progress, holder, dueAt, revision, mac } = migration;
    const before = and(
      eq(keyMigrations.migrationId, migrationId),
      eq(keyMigrations.revision, revision - 1),
      RUNNING,
      within(this.#session.scope, keyMigrations.tenantId),
    );
    const updated = await this.#session.run((db) =>
      db
        .update(keyMigrations)
        .set({ state, endedAt, progress, holder, dueAt, revision, ...macColumns(mac) })
        .where(before)
        .returning({ migrationId: keyMigrations.migrationId }),
    );
    if (updated.length === 0) throw new KmsError('CONFLICT', 'The migration changed at the same moment, or has ended.');
  }

  async lockDue(limit: number, except: readonly string[]): Promise<readonly KeyMigrationRecord[]> {
    requireSystem(this.#session.scope);
    const { dueAt, migrationId, tenantId } = keyMigrations;
    const others = sql`${migrationId} <> all (${`{${except.join(',')}}`}::uuid[])`;
    // Not as a join: few are due, however many tenants there are.
    const living = sql`(select t.state from ${tenants} t where t.tenant_id = ${tenantId}) = 'active'`;
    const rows = await this.#session.run((db) =>
      db
        .select()
        .from(keyMigrations)
        .where(and(RUNNING, lte(dueAt, this.#session.now), living, others))
        .orderBy(asc(dueAt), asc(migrationId))
        .limit(limit)
        .for('update', { skipLocked: true }),
    );
    return rows.map(withMac);
  }

  async removeEnded(keep: number): Promise<void> {
    const { createdAt, migrationId, tenantId } = keyMigrations;
    await this.#session.run((db) => {
      const ended = db
        .select({
          migrationId,
          place: sql`row_number() over (partition by ${tenantId} order by ${createdAt} desc, ${migrationId} desc)`.as(
            'place',
          ),
        })
        .from(keyMigrations)
        .where(and(sql`${keyMigrations.state} <> 'running'`, within(this.#session.scope, tenantId)))
        .as('ended');
      const gone = db.select({ migrationId: ended.migrationId }).from(ended).where(sql`${ended.place} > ${keep}`);
      return db
        .delete(keyMigrations)
        .where(and(sql`${migrationId} in (${gone})`, within(this.#session.scope, tenantId)));
    });
  }
}
