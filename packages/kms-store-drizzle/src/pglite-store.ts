import { Storage } from '@qnsp/kms-core';
import { InProcessFeed } from '@qnsp/kms-core/ports';
import { eventOf } from './changes/channel.ts';
import { DrizzleEvidenceStore } from './drizzle-evidence-store.ts';
import { DrizzleStore } from './drizzle-store.ts';
import { namesIn } from './driver/names.ts';
import type { PgliteClient } from './pglite/pglite-client.ts';
import { prepareDatabase } from './migrate/prepare-database.ts';

export type { PgliteClient };

interface CommonOptions {
  /** The schema of the store; default: `kms`. Stores in two schemas have nothing in common. */
  readonly schema?: string;
  /** How long a unit of work may take, in milliseconds; default: 5000. */
  readonly statementTimeoutMs?: number;
}

/** Where the embedded database is, and how long units of work may take. */
export interface PgliteStoreOptions extends CommonOptions {
  /** A directory, which is created if it does not exist, or `memory://` for a database that is not kept. */
  readonly dataDir: string;
}

/** The application's own PGlite, in which the store is beside what the application has there. */
export interface PgliteClientOptions extends CommonOptions {
  /** Stays open when the store is closed, and is closed after it. */
  readonly client: PgliteClient;
}

/**
 * Opens the store on PostgreSQL inside this process (PGlite). One process at a time may have a directory open.
 *
 * On the application's own PGlite the store waits for the transactions of the application, and they for those of the store: an
 * operation of the KMS within a transaction of the application waits for itself, and ends as `STORE_UNAVAILABLE`.
 *
 * @throws KmsError `STORE_UNAVAILABLE` when another process has the directory open.
 * @example
 * import { openPgliteStore } from '@qnsp/kms-store-drizzle';
 * const storage = await openPgliteStore({ dataDir: 'memory://' });
 * await storage.close();
 */
export async function openPgliteStore(options: PgliteStoreOptions | PgliteClientOptions): Promise<Storage> {
  // Loaded only where it is used: a database in WebAssembly takes time and memory that a service on a server need not
  // spend.
  const { borrowPglite, openPglite } = await import('./pglite/pglite-driver.ts');
  const names = namesIn(options.schema);
  const limitMs = options.statementTimeoutMs ?? 5000;
  const driver =
    'client' in options
      ? borrowPglite(names, options.client, limitMs)
      : await openPglite(names, options.dataDir, limitMs);
  const changes = new InProcessFeed();
  try {
    await prepareDatabase(driver, 'auto');
    await driver.listen(driver.names.channel, (payload) => changes.deliver(eventOf(payload, () => false)));
  } catch (error) {
    await driver.close();
    throw error;
  }
  return new Storage({
    store: new DrizzleStore(driver),
    evidence: new DrizzleEvidenceStore(driver),
    changes,
    close: () => driver.close(),
  });
}
