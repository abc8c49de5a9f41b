import { changeFeedContract, declareContract, storeContract } from '@qnsp/kms-core/testing';
import { createDatabase } from '@qnsp/test-harness';
import { openPgliteStore, openPostgresStore } from '@qnsp/kms-store-drizzle';
import * as vitest from 'vitest';

declareContract(
  storeContract('PGlite store', () => openPgliteStore({ dataDir: 'memory://' })),
  vitest,
);

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

declareContract(storeContract('PostgreSQL store', openOnPostgres), vitest);

declareContract(
  changeFeedContract('the feed of the PGlite store', () => openPgliteStore({ dataDir: 'memory://' })),
  vitest,
);

declareContract(changeFeedContract('the feed of the PostgreSQL store', openOnPostgres), vitest);
