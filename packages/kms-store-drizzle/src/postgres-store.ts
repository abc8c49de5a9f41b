import type { AcknowledgedCommits, ChangeFeed, DatabaseCopies, EvidenceStore, Store } from '@qnsp/kms-core';
import { PostgresCommits } from './commits/postgres-commits.ts';
import { PostgresFeed } from './changes/postgres-feed.ts';
import { DrizzleDatabaseCopies } from './copies/database-copies.ts';
import { DrizzleEvidenceStore } from './drizzle-evidence-store.ts';
import { DrizzleStore } from './drizzle-store.ts';
import { prepareDatabase } from './migrate/prepare-database.ts';
import type { DatabaseClock } from './postgres/database-clock.ts';
import type { PostgresStoreOptions } from './postgres/options.ts';
import { PostgresDriver } from './postgres/postgres-driver.ts';

/**
 * Opens the store on a PostgreSQL server, version 15 or newer. The connecting user owns the tables or is a member of
 * the role `kms_app`.
 *
 * `changes` tells what changes in the database, whoever changes it; it opens two connections of its own when somebody
 * subscribes. `clock` is the time by which the database judges, to judge by it without asking.
 *
 * @throws KmsError `STORE_UNAVAILABLE` when the server can't be reached; `INTERNAL_ERROR` when the database does not fit
 *   this version, saying what to do.
 * @example
 * const { store, close } = await openPostgresStore({ url: 'postgresql://kms@db/kms', ssl: 'verify-full', migrate: 'auto' });
 */
export async function openPostgresStore(options: PostgresStoreOptions): Promise<{
  readonly store: Store;
  readonly evidence: EvidenceStore;
  readonly changes: ChangeFeed;
  readonly copies: DatabaseCopies;
  readonly clock: DatabaseClock;
  readonly commits: AcknowledgedCommits;
  close(): Promise<void>;
}> {
  const driver = new PostgresDriver(options);
  await prepareDatabase(driver, options.migrate);
  const changes = new PostgresFeed(driver, driver.clock, options.onFeedLost ?? (() => undefined));
  return {
    store: new DrizzleStore(driver),
    evidence: new DrizzleEvidenceStore(driver),
    changes,
    copies: new DrizzleDatabaseCopies(driver),
    clock: driver.clock,
    commits: new PostgresCommits(driver),
    close: async () => {
      // At once, so that from this moment on no unit of work begins.
      await Promise.all([changes.close(), driver.close()]);
    },
  };
}
