import { Storage } from '@qnsp/kms-core';
import { InProcessFeed } from '@qnsp/kms-core/ports';
import { CHANNEL, eventOf } from './changes/channel.ts';
import { DrizzleEvidenceStore } from './drizzle-evidence-store.ts';
import { DrizzleStore } from './drizzle-store.ts';
import { prepareDatabase } from './migrate/prepare-database.ts';

export interface PgliteStoreOptions {
  /** A directory, which is created if it does not exist, or `memory://` for a database that is not kept. */
  readonly dataDir: string;
  /** How long a unit of work may take, in milliseconds; default: 5000. */
  readonly statementTimeoutMs?: number;
}

/**
 * Opens the store on PostgreSQL inside this process (PGlite). One process at a time may have a directory open.
 *
 * @throws KmsError `STORE_UNAVAILABLE` when another process has the directory open.
 * @example
 * const storage = await openPgliteStore({ dataDir: 'memory://' });
 */
export async function openPgliteStore(options: PgliteStoreOptions): Promise<Storage> {
  // Loaded only where it is used: a database in WebAssembly takes time and memory that a service on a server need not
  // spend.
  const { openPglite } = await import('./pglite/pglite-driver.ts');
  const driver = await openPglite(options.dataDir, options.statementTimeoutMs ?? 5000);
  const changes = new InProcessFeed();
  try {
    await prepareDatabase(driver, 'auto');
    await driver.listen(CHANNEL, (payload) => changes.deliver(eventOf(payload, () => false)));
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
