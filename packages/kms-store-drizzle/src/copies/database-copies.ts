import { KmsError, REVOCATION_REASONS } from '@qnsp/kms-core';
import type { BroughtTombstones, DatabaseCopies, DatabaseCopy, SettledCopy, Tombstone } from '@qnsp/kms-core/ports';
import { and, eq, inArray, isNotNull, isNull, max, or, sql } from 'drizzle-orm';
import type { Db, Driver } from '../driver/driver.ts';
import { kms } from '../schema/columns.ts';
import { commitMarks } from '../schema/commit-marks.ts';
import { databaseCopies, tombstones, tombstonesToApply } from '../schema/database-copies.ts';
import { toStoreError } from '../driver/store-errors.ts';

/** The name of this database, which is not part of any dump. */
const HERE = sql<string>`${kms}.database_place()`;
const KEY_STATES = ['suspended', 'scheduled', 'restored', 'revoked', 'destroyed'] as const;

/** The copies of a PostgreSQL database, told apart by the server's identity and its numbers for database and table. */
export class DrizzleDatabaseCopies implements DatabaseCopies {
  readonly #driver: Driver;

  constructor(driver: Driver) {
    this.#driver = driver;
  }

  look(): Promise<DatabaseCopy> {
    return this.#run(async (db, now) => {
      const [{ asOf } = { asOf: null }] = await db.select({ asOf: max(databaseCopies.aliveAt) }).from(databaseCopies);
      await db
        .insert(databaseCopies)
        .values({ place: HERE, noticedAt: now, aliveAt: asOf ?? now, dataAsOf: asOf })
        .onConflictDoNothing();
      const [row] = await db.select().from(databaseCopies).where(eq(databaseCopies.place, HERE));
      if (row === undefined) throw new KmsError('INTERNAL_ERROR', 'The place of the database was not recorded.');
      return { dataAsOf: row.dataAsOf, noticedAt: row.noticedAt, cause: row.cause, settled: settledCopy(row) };
    });
  }

  async declareBehind(noticedAt: Date, lacking: readonly string[]): Promise<void> {
    await this.#run(async (db, now) => {
      const renamed = await db
        .update(databaseCopies)
        .set({ place: sql`${databaseCopies.place} || ' before ' || ${now.toISOString()}` })
        .where(and(eq(databaseCopies.place, HERE), eq(databaseCopies.noticedAt, noticedAt)))
        .returning({ place: databaseCopies.place });
      // Somebody else was faster.
      if (renamed.length === 0) return;
      const [{ aliveAt } = { aliveAt: null }] = await db
        .select({ aliveAt: max(databaseCopies.aliveAt) })
        .from(databaseCopies);
      // Others, who miss nothing, may have been alive here since.
      const [{ lastAt } = { lastAt: null }] = await db
        .select({ lastAt: max(commitMarks.at) })
        .from(commitMarks)
        .where(inArray(commitMarks.holder, [...lacking]));
      const dataAsOf = new Date(Math.min((aliveAt ?? now).getTime(), (lastAt ?? now).getTime()));
      const row = { noticedAt: now, aliveAt: dataAsOf, dataAsOf, cause: 'behind' as const };
      await db.insert(databaseCopies).values({ place: HERE, ...row });
      // A listener takes what it does not know for a gap, and checks.
      await db.execute(sql`select pg_notify(${this.#driver.names.channel}, 'copy')`);
    });
  }

  async forgetProcesses(unusedSince: Date): Promise<void> {
    await this.#run((db) => {
      const old = db
        .select({ holder: commitMarks.holder })
        .from(commitMarks)
        .groupBy(commitMarks.holder)
        .having(sql`max(${commitMarks.at}) < ${unusedSince.toISOString()}::timestamptz`);
      return db.delete(commitMarks).where(inArray(commitMarks.holder, old));
    });
  }

  async keepAlive(): Promise<boolean> {
    const serves = or(isNull(databaseCopies.dataAsOf), isNotNull(databaseCopies.settledAt));
    const alive = await this.#run((db, now) =>
      db
        .update(databaseCopies)
        .set({ aliveAt: now })
        .where(and(eq(databaseCopies.place, HERE), serves))
        .returning({ place: databaseCopies.place }),
    );
    return alive.length > 0;
  }

  tombstones(): Promise<BroughtTombstones | undefined> {
    return this.#run(async (db) => {
      const [brought] = await db
        .select({ exportedAt: max(tombstones.at) })
        .from(tombstones)
        .where(eq(tombstones.kind, 'export'));
      if (brought === undefined || brought.exportedAt === null) return undefined;
      const rows = await db.select().from(tombstonesToApply).orderBy(tombstonesToApply.id, tombstonesToApply.state);
      return { exportedAt: brought.exportedAt, toApply: rows.map(toTombstone) };
    });
  }

  async settle(how: Parameters<DatabaseCopies['settle']>[0]): Promise<void> {
    await this.#run((db, now) =>
      db
        .update(databaseCopies)
        .set({
          aliveAt: now,
          settledAt: now,
          settledBy: how.by,
          tombstonesAsOf: how.by === 'tombstones' ? how.tombstonesAsOf : null,
        })
        .where(and(eq(databaseCopies.place, HERE), isNull(databaseCopies.settledAt))),
    );
  }

  #run<T>(work: (db: Db, now: Date) => Promise<T>): Promise<T> {
    const run = async (db: Db, now: Date) => {
      try {
        return await work(db, now);
      } catch (error) {
        throw toStoreError(error);
      }
    };
    return this.#driver.transaction({ kind: 'system' }, run, { evenBehind: true });
  }
}

function settledCopy({ settledAt, settledBy, tombstonesAsOf }: typeof databaseCopies.$inferSelect): SettledCopy | null {
  if (settledAt === null) return null;
  return settledBy === 'tombstones' && tombstonesAsOf !== null
    ? { at: settledAt, by: 'tombstones', tombstonesAsOf }
    : { at: settledAt, by: 'operator' };
}

function toTombstone({ kind, tenantId, id, state, reason, at }: typeof tombstonesToApply.$inferSelect): Tombstone {
  const keyState = KEY_STATES.find((known) => known === state);
  if (kind === 'tenant' && id !== null) return { kind, tenantId: id };
  if (kind === 'token' && id !== null) return { kind, tokenId: id };
  if (kind === 'identity' && id !== null && tenantId !== null) return { kind, tenantId, bindingId: id };
  if (kind === 'key' && id !== null && tenantId !== null && keyState !== undefined) {
    const known = REVOCATION_REASONS.find((candidate) => candidate === reason) ?? null;
    return { kind, tenantId, keyId: id, state: keyState, reason: known, at };
  }
  throw new KmsError('INTERNAL_ERROR', `A tombstone is not one that this version can apply: ${kind} ${String(id)}.`);
}
