import { setTimeout as sleep } from 'node:timers/promises';
import { PGlite, type PGliteOptions } from '@electric-sql/pglite';
import { dataDir } from '@electric-sql/pglite-prepopulatedfs';
import {
  changeFeedContract,
  declareContract,
  evidenceStoreContract,
  insertKey,
  newTenant,
  sampleKey,
  storeContract,
  SYSTEM,
} from '@qnsp/kms-core/testing';
import { openPgliteStore } from '@qnsp/kms-store-drizzle/pglite';
import * as vitest from 'vitest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const UNAVAILABLE = { code: 'STORE_UNAVAILABLE', retryAfterSeconds: 1 };
const NEVER = () => 'of the application';

/** What an application may have taught its PGlite. */
const PECULIAR = {
  parsers: { 16: NEVER, 17: NEVER, 20: BigInt, 25: NEVER, 114: NEVER, 2950: NEVER, 1184: NEVER, 3802: NEVER },
  serializers: { 3802: () => '"of the application"', 17: () => '\\x', 1184: () => 'now' },
};

/** A copy of a cluster that was made before, which takes a third of the time. */
const openClient = async (options: PGliteOptions = {}): Promise<PGlite> =>
  PGlite.create('memory://', { ...options, loadDataDir: await dataDir() });

async function onPeculiar() {
  const client = await openClient(PECULIAR);
  await client.exec(`set time zone 'Asia/Kolkata'`);
  const storage = await openPgliteStore({ client, schema: 'order' });
  const { store, changes, evidence } = storage;
  return {
    store,
    changes,
    evidence,
    async close() {
      await storage.close();
      await client.close();
    },
  };
}

declareContract(storeContract("a store in the application's PGlite", onPeculiar), vitest);
declareContract(evidenceStoreContract("evidence in the application's PGlite", onPeculiar), vitest);
declareContract(changeFeedContract("the feed of a store in the application's PGlite", onPeculiar), vitest);

describe("a store in the application's PGlite", () => {
  let client: PGlite;
  beforeAll(async () => {
    client = await openClient();
    await client.exec('create table notes (text text)');
  });
  afterAll(() => client.close());

  it('leaves it open, and is closed itself', async () => {
    const { store, close } = await openPgliteStore({ client });
    await newTenant(store);
    let isDone = false;
    const unit = store.transact(SYSTEM, () => sleep(200).then(() => (isDone = true)));
    const closing = close();
    await expect(store.ping()).rejects.toMatchObject(UNAVAILABLE);
    await closing;
    // Afterwards the application may close what is its own.
    expect(isDone).toBe(true);
    await unit;
    const { rows } = await client.query(`select current_user::text as name, current_setting('role') as role`);
    expect(rows).toEqual([{ name: 'postgres', role: 'none' }]);
    const { rows: listening } = await client.query('select pg_listening_channels()');
    expect(listening).toEqual([]);
  });

  it('is apart from one in another schema, and from the tables of the application', async () => {
    const [one, two] = [await openPgliteStore({ client }), await openPgliteStore({ client, schema: 'other' })];
    const heard: string[] = [];
    two.changes.subscribe(({ kind }) => heard.push(kind));
    heard.length = 0;
    const key = await insertKey(one.store, sampleKey(await newTenant(one.store)));
    await client.exec(`update kms.keys set name = 'changed', revision = revision + 1`);
    expect(await two.store.readKey(key.tenantId, key.keyId)).toBeUndefined();
    expect(heard).toEqual([]);
    const own = await insertKey(two.store, sampleKey(await newTenant(two.store)));
    await client.exec(`update other.keys set name = 'changed', revision = revision + 1`);
    expect(heard).toContain('key');
    await two.close();
    await client.exec(`drop schema other cascade; insert into notes values ('still here')`);
    expect(await one.store.readKey(key.tenantId, key.keyId)).toMatchObject({ name: 'changed' });
    expect(await one.store.readKey(own.tenantId, own.keyId)).toBeUndefined();
    await one.close();
  });

  it('waits for the transactions of the application, and does not wait for ever within one', async () => {
    const { store, close } = await openPgliteStore({ client, statementTimeoutMs: 300 });
    const inside = client.transaction(async (tx) => {
      await tx.query('select 1');
      await expect(newTenant(store)).rejects.toMatchObject(UNAVAILABLE);
      return 'kept';
    });
    await expect(inside).resolves.toBe('kept');
    await newTenant(store);
    await close();
  });
});
