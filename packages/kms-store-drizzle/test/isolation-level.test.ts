import { type Contract, declareContract, storeContract } from '@qnsp/kms-core/testing';
import { openPostgresStore } from '@qnsp/kms-store-drizzle/postgres';
import { createDatabase } from '@qnsp/test-harness';
import postgres from 'postgres';
import * as vitest from 'vitest';
import { rawSql } from './raw-sql.ts';

/** What counts rows under a lock has to see what was committed while it waited for the lock. */
const counting = (contract: Contract): Contract => ({
  ...contract,
  cases: contract.cases.filter(({ name }) => /^(?:seals|room) > /.test(name)),
});

async function onClient() {
  const database = await createDatabase();
  const client = postgres(database.url, {
    onnotice: () => undefined,
    connection: { default_transaction_isolation: 'repeatable read' },
  });
  const { store, close } = await openPostgresStore({ client, migrate: 'auto' });
  return {
    store,
    async close() {
      await close();
      await client.end();
      await database.drop();
    },
  };
}

async function onDatabase() {
  const database = await createDatabase();
  const sql = rawSql(database.url);
  await sql.unsafe(`do $$ begin
    execute format('alter database %I set default_transaction_isolation = %L', current_database(), 'repeatable read');
  end $$`);
  await sql.end();
  const { store, close } = await openPostgresStore({ url: database.url, ssl: 'disable', migrate: 'auto' });
  return {
    store,
    async close() {
      await close();
      await database.drop();
    },
  };
}

declareContract(counting(storeContract('a store on a client whose transactions repeat their reads', onClient)), vitest);
declareContract(
  counting(storeContract('a store in a database that has transactions repeat their reads', onDatabase)),
  vitest,
);
