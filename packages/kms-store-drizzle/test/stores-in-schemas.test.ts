import { changeFeedContract, declareContract, evidenceStoreContract, storeContract } from '@qnsp/kms-core/testing';
import { openPgliteStore, openPostgresStore } from '@qnsp/kms-store-drizzle';
import { createDatabase } from '@qnsp/test-harness';
import * as vitest from 'vitest';

/** A word of SQL, which is a name in quotes only. */
const SCHEMA = 'order';

const inPglite = () => openPgliteStore({ dataDir: 'memory://', schema: SCHEMA });

async function inPostgres() {
  const database = await createDatabase();
  const storage = await openPostgresStore({ url: database.url, ssl: 'disable', migrate: 'auto', schema: SCHEMA });
  storage.changes.subscribe(() => undefined);
  const { store, changes, evidence } = storage;
  return {
    store,
    changes,
    evidence,
    async close() {
      await storage.close();
      await database.drop();
    },
  };
}

declareContract(storeContract('a PGlite store in a schema of another name', inPglite), vitest);
declareContract(storeContract('a PostgreSQL store in a schema of another name', inPostgres), vitest);
declareContract(changeFeedContract('the feed of a PGlite store in a schema of another name', inPglite), vitest);
declareContract(changeFeedContract('the feed of a PostgreSQL store in a schema of another name', inPostgres), vitest);
declareContract(evidenceStoreContract('evidence in PGlite in a schema of another name', inPglite), vitest);
declareContract(evidenceStoreContract('evidence in PostgreSQL in a schema of another name', inPostgres), vitest);
