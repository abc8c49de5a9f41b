import { changeFeedContract, storeContract } from '@qnsp/kms-core/testing';
import { createDatabase } from '@qnsp/test-harness';
import { openPgliteStore, openPostgresStore } from '@qnsp/kms-store-drizzle';

storeContract('PGlite store', () => openPgliteStore({ dataDir: 'memory://' }));

async function openOnPostgres() {
  const database = await createDatabase();
  const { store, changes, close } = await openPostgresStore({ url: database.url, ssl: 'disable', migrate: 'auto' });
  // The feed of a database connects for its first listener.
  changes.subscribe(() => undefined);
  return {
    store,
    changes,
    async close() {
      await close();
      await database.drop();
    },
  };
}

storeContract('PostgreSQL store', openOnPostgres);

changeFeedContract('the feed of the PGlite store', () => openPgliteStore({ dataDir: 'memory://' }));

changeFeedContract('the feed of the PostgreSQL store', openOnPostgres);
