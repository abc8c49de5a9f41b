import { storeContract } from '@qnsp/kms-core/testing';
import { createDatabase } from '@qnsp/test-harness';
import { openPgliteStore, openPostgresStore } from '@qnsp/kms-store-drizzle';

storeContract('PGlite store', () => openPgliteStore({ dataDir: 'memory://' }));

storeContract('PostgreSQL store', async () => {
  const database = await createDatabase();
  const { store, close } = await openPostgresStore({ url: database.url, ssl: 'disable', migrate: 'auto' });
  return {
    store,
    async close() {
      await close();
      await database.drop();
    },
  };
});
