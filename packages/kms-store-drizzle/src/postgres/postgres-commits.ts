import type { AcknowledgedCommits, CommitMemory, KnownCommits } from '@qnsp/kms-core/ports';
import { desc, inArray, max } from 'drizzle-orm';
import type { Db } from '../driver/driver.ts';
import type { PostgresDriver } from './postgres-driver.ts';
import { commitMarks } from '../schema/commit-marks.ts';
import { toStoreError } from '../driver/store-errors.ts';
import { lackingIn } from '../commits/commit-marks.ts';

const RECENT = 16;

/** What was acknowledged to this process and others as committed, on PostgreSQL. */
export class PostgresCommits implements AcknowledgedCommits {
  readonly #driver: PostgresDriver;

  constructor(driver: PostgresDriver) {
    this.#driver = driver;
  }

  get known(): KnownCommits {
    return this.#driver.marks.known;
  }

  get lacking(): readonly string[] {
    return this.#driver.marks.lacking;
  }

  rememberIn(memory: CommitMemory): void {
    this.#driver.marks.memory = memory;
  }

  onBehind(listener: () => void): void {
    this.#driver.marks.onBehind = listener;
  }

  async recentHolders(): Promise<readonly string[]> {
    const rows = await this.#read((db) =>
      db
        .select({ holder: commitMarks.holder })
        .from(commitMarks)
        .groupBy(commitMarks.holder)
        .orderBy(desc(max(commitMarks.at)))
        .limit(RECENT),
    );
    return rows.map(({ holder }) => holder);
  }

  async lackingOf(known: readonly KnownCommits[]): Promise<readonly string[]> {
    if (known.length === 0) return [];
    const holders = known.map(({ holder }) => holder);
    const counted = await this.#read((db) => db.select().from(commitMarks).where(inArray(commitMarks.holder, holders)));
    return lackingIn(known, counted);
  }

  check(): Promise<void> {
    return this.#driver.lookAgain();
  }

  #read<T>(query: (db: Db) => PromiseLike<T>): Promise<T> {
    return this.#driver.transaction({ kind: 'system' }, async (db) => {
      try {
        return await query(db);
      } catch (error) {
        throw toStoreError(error);
      }
    });
  }
}
