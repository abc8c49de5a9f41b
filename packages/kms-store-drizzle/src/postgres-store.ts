import { KmsError, Storage } from '@qnsp/kms-core';
import type {
  AcknowledgedCommits,
  ChangeFeed,
  DatabaseCopies,
  EvidenceStore,
  FleetNodes,
  Store,
} from '@qnsp/kms-core/ports';
import { PostgresCommits } from './postgres/postgres-commits.ts';
import { PostgresFeed } from './changes/postgres-feed.ts';
import { DrizzleDatabaseCopies } from './copies/database-copies.ts';
import { DrizzleEvidenceStore } from './drizzle-evidence-store.ts';
import { DrizzleStore } from './drizzle-store.ts';
import { DrizzleFleetNodes } from './fleet/fleet-nodes.ts';
import { prepareDatabase } from './migrate/prepare-database.ts';
import { connectionProblem } from './postgres/connection-problem.ts';
import type { DatabaseClock } from './postgres/database-clock.ts';
import type { PostgresClientOptions, PostgresStoreOptions } from './postgres/options.ts';
import { PostgresDriver } from './postgres/postgres-driver.ts';

export type { PostgresClient } from './postgres/postgres-client.ts';
export { type ConnectionUrl, parseConnectionUrl } from './postgres/connection-url.ts';
export type { DatabaseClock, PostgresClientOptions, PostgresStoreOptions };
export type { SslMode } from './postgres/options.ts';

/** A storage on a PostgreSQL server, which has all parts that a storage may have. */
export type PostgresStorage = Storage<{
  readonly store: Store;
  readonly evidence: EvidenceStore;
  readonly changes: ChangeFeed;
  readonly copies: DatabaseCopies;
  readonly clock: DatabaseClock;
  readonly commits: AcknowledgedCommits;
  readonly fleet: FleetNodes;
  close(): Promise<void>;
}>;

/**
 * Opens the store on a PostgreSQL server, version 15 or newer. The connecting user owns the tables or is a member of
 * the role `kms_app`, for a schema of another name of the role `kms_app_` and that name.
 *
 * With a `url` the store has connections of its own. With the application's `client` it works on those of the application, each
 * unit of work in a transaction that takes one of them: it waits for one as the application does, so an operation of the KMS
 * within a transaction of the application needs a second one.
 *
 * `changes` reports every change in the database, no matter who makes it; it opens two connections of its own when somebody
 * subscribes. `clock` is the time by which the database judges, to judge by it without asking.
 *
 * @throws KmsError `STORE_UNAVAILABLE` when the server can't be reached or lets nobody in, with the reason, and in its details
 *   `lies`, which says what would have to be changed, and `option`, the URL; `BAD_REQUEST` for a URL that is none;
 *   `INTERNAL_ERROR` when the database does not fit this version, saying what to do.
 * @example
 * import { openPostgresStore } from '@qnsp/kms-store-drizzle';
 * // On the same machine; elsewhere `ssl` is `verify-full`.
 * const storage = await openPostgresStore({ url: databaseUrl, ssl: 'disable', migrate: 'auto' });
 * await storage.close();
 */
export async function openPostgresStore(
  options: PostgresStoreOptions | PostgresClientOptions,
): Promise<PostgresStorage> {
  const driver = new PostgresDriver(options);
  await prepareDatabase(driver, options.migrate).catch((error: unknown) => {
    throw explained(error, 'url');
  });
  if (options.notifyUrl !== undefined) await driver.tryNotices().catch(refuseForGood);
  const changes = new PostgresFeed(driver, driver.clock, options.onFeedLost ?? (() => undefined));
  return new Storage({
    store: new DrizzleStore(driver),
    evidence: new DrizzleEvidenceStore(driver),
    changes,
    copies: new DrizzleDatabaseCopies(driver),
    clock: driver.clock,
    commits: new PostgresCommits(driver),
    fleet: new DrizzleFleetNodes(driver),
    close: async () => {
      // At once, so that from this moment no unit of work begins.
      await Promise.all([changes.close(), driver.close()]);
    },
  });
}

/** The reason in the message, where the connection is what is wrong. */
function explained(error: unknown, option: 'url' | 'notifyUrl'): unknown {
  if (!KmsError.is(error) || !isOfConnection(error)) return error;
  const problem = connectionProblem(error);
  if (problem === undefined) return error;
  return new KmsError('STORE_UNAVAILABLE', `The database cannot serve: ${problem.reason}.`, {
    retryAfterSeconds: 1,
    details: { lies: problem.lies, option },
    cause: error.cause,
  });
}

/** Besides what the store calls unavailable: a privilege that the user has lacked from the beginning. */
function isOfConnection({ code, cause }: KmsError): boolean {
  return code === 'STORE_UNAVAILABLE' || (cause instanceof Error && 'code' in cause && cause.code === '42501');
}

/** Notices may come later; what somebody has to correct does not correct itself. */
function refuseForGood(error: unknown): void {
  const problem = explained(error, 'notifyUrl');
  if (KmsError.is(problem) && problem.details?.['lies'] !== undefined && problem.details['lies'] !== 'server')
    throw problem;
}
