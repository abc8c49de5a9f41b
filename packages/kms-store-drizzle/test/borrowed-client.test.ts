import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Store } from '@qnsp/kms-core/ports';
import {
  asTenant,
  changeFeedContract,
  declareContract,
  delivered,
  evidenceStoreContract,
  insertKey,
  newTenant,
  sampleKey,
  storeContract,
  SYSTEM,
} from '@qnsp/kms-core/testing';
import { openPostgresStore, type PostgresClientOptions } from '@qnsp/kms-store-drizzle/postgres';
import { createDatabase, type Pgbouncer, startPgbouncer, startTcpProxy, type TestDatabase } from '@qnsp/test-harness';
import postgres, { type Options, type Sql } from 'postgres';
import * as vitest from 'vitest';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { rawSql } from './raw-sql.ts';

const UNAVAILABLE = { code: 'STORE_UNAVAILABLE', retryAfterSeconds: 1 };

/** What an application may have made of its client, none of which the store can use. */
const PECULIAR = {
  max: 1,
  onnotice: () => undefined,
  connection: { TimeZone: 'Asia/Kolkata' },
  transform: {
    ...postgres.camel,
    value: { from: (value: unknown) => (typeof value === 'string' ? `${value}!` : value) },
  },
  types: {
    json: { to: 3802, from: [114, 3802], serialize: () => '"of the application"', parse: () => 'of the application' },
    instant: { to: 1184, from: [1184], serialize: () => 'now', parse: (text: string) => ({ text }) },
    bytes: { to: 17, from: [17], serialize: () => '\\x', parse: () => 'bytes' },
    bigint: postgres.BigInt,
  },
} satisfies Options<Record<string, postgres.PostgresType>>;

async function onPeculiar() {
  const database = await createDatabase();
  const client = postgres(database.url, PECULIAR);
  const storage = await openPostgresStore({ client, migrate: 'auto', schema: 'order' });
  storage.changes.subscribe(() => undefined);
  const { store, changes, evidence } = storage;
  return {
    store,
    changes,
    evidence,
    async close() {
      await storage.close();
      await client.end();
      await database.drop();
    },
  };
}

declareContract(storeContract('a store on the one connection of a client', onPeculiar), vitest);
declareContract(evidenceStoreContract('evidence on the one connection of a client', onPeculiar), vitest);
declareContract(changeFeedContract('the feed of a store on the one connection of a client', onPeculiar), vitest);

describe("a store on the application's client", () => {
  let database: TestDatabase;
  let client: Sql;
  const closes: (() => Promise<unknown>)[] = [];

  beforeEach(async () => {
    database = await createDatabase();
    client = connected({ max: 1 });
  });
  afterEach(async () => {
    for (const close of closes.splice(0).toReversed()) await close();
    await database.drop();
  });

  function connected(options: Options<Record<string, never>>, url = database.url): Sql {
    const connections = { application_name: 'application' };
    const made = postgres(url, { connection: connections, onnotice: () => undefined, ...options });
    closes.push(() => made.end({ timeout: 1 }));
    return made;
  }

  async function open(options: Partial<PostgresClientOptions> = {}) {
    const storage = await openPostgresStore({ client, migrate: 'auto', ...options });
    closes.push(() => storage.close());
    return storage;
  }

  async function aside<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    const sql = rawSql(database.url);
    try {
      return await work(sql);
    } finally {
      await sql.end();
    }
  }

  const connections = (): Promise<readonly string[]> =>
    aside(async (sql) => {
      const rows = await sql`select application_name as name from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend' order by 1`;
      return rows.map(({ name }) => String(name));
    });

  const terminateAll = (): Promise<unknown> =>
    aside(
      (sql) => sql`select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and application_name = 'application'`,
    );

  /** postgres.js may report to the next user of a connection why the last one lost it. */
  async function readsNothing(store: Store, tenantId: string, keyId: string): Promise<void> {
    const read = () => store.readKey(tenantId, keyId);
    await expect(read().catch(read)).resolves.toBeUndefined();
  }

  it('opens no connection but those for notices, and leaves the client open', async () => {
    const { store, changes, close } = await open();
    await newTenant(store);
    expect(await connections()).toEqual(['application']);
    changes.subscribe(() => undefined);
    await delivered(changes);
    expect(await connections()).toEqual(['application', 'qnsp-kms-heartbeats', 'qnsp-kms-notices']);
    let isDone = false;
    const unit = store.transact(SYSTEM, () => sleep(300).then(() => (isDone = true)));
    await sleep(20);
    const closing = close();
    await expect(store.ping()).rejects.toMatchObject(UNAVAILABLE);
    await closing;
    // Afterwards the application may close what is its own.
    expect(isDone).toBe(true);
    await unit;
    await expect.poll(connections).toEqual(['application']);
    expect([...(await client`select 1 as one`)]).toEqual([{ one: 1 }]);
  });

  it('counts none of the statements that prepare the database', async () => {
    await open();
    expect([...(await client`select slot from kms.commit_marks`)]).toEqual([]);
  });

  it('waits at its end for units that took too long, though not for one that never ends', async () => {
    const happened: string[] = [];
    const { store, close } = await open({ statementTimeoutMs: 400 });
    const released = Promise.withResolvers<void>();
    const slow = store.transact(SYSTEM, () => released.promise.then(() => happened.push('done')));
    await expect(slow).rejects.toMatchObject(UNAVAILABLE);
    const closing = close().then(() => happened.push('closed'));
    await sleep(20);
    released.resolve();
    await closing;
    expect(happened).toEqual(['done', 'closed']);
    const other = await openPostgresStore({ client, migrate: 'auto', statementTimeoutMs: 100 });
    const endless = other.store.transact(SYSTEM, () => new Promise<never>(() => undefined));
    await expect(endless).rejects.toMatchObject(UNAVAILABLE);
    await other.close();
  });

  it('gives up a connection for notices when it takes longer than it may', async () => {
    let isAway = false;
    const { hostname, port } = new URL(database.url);
    const never = new Promise<never>(() => undefined);
    const socket = () => (isAway ? never : connect(Number(port), hostname));
    client = connected({ max: 1, connect_timeout: 3600, socket } as Options<Record<string, never>>);
    const lost = Promise.withResolvers<unknown>();
    const { changes } = await open({ connectTimeoutSeconds: 0.2, onFeedLost: lost.resolve });
    isAway = true;
    changes.subscribe(() => undefined);
    await expect(lost.promise).resolves.toMatchObject(UNAVAILABLE);
  });

  it('leaves the types of the client and its sessions as they were', async () => {
    const text = `select '2026-01-02T03:04:05Z'::timestamptz as at, '{"a":1}'::jsonb as json, current_user::text as name,
      current_setting('statement_timeout') as "limit", coalesce(current_setting('kms.scope', true), '') as scope`;
    // With its first connection postgres.js learns the types of arrays.
    const [before] = await client.unsafe(text);
    const { parsers, serializers } = client.options;
    const types = [{ ...parsers }, { ...serializers }];
    const { store } = await open();
    await insertKey(store, sampleKey(await newTenant(store)));
    const [after] = await client.unsafe(text);
    expect([{ ...parsers }, { ...serializers }]).toEqual(types);
    expect(after).toEqual(before);
    expect(after).toMatchObject({ at: expect.any(Date), json: { a: 1 } });
  });

  it('waits for the transactions of the application, and does not wait for ever within one', async () => {
    const { store } = await open({ statementTimeoutMs: 400 });
    const inside = client.begin(async (tx) => {
      await tx`select 1`;
      await expect(store.ping()).rejects.toMatchObject(UNAVAILABLE);
      await expect(newTenant(store)).rejects.toMatchObject(UNAVAILABLE);
      return 'kept';
    });
    await expect(inside).resolves.toBe('kept');
    const short = client.begin((tx) => tx`select pg_sleep(0.1)`);
    await Promise.all([short, newTenant(store)]);
    // Nothing of the units that gave up was done when their turn came.
    expect((await store.transact(SYSTEM, (unit) => unit.tenants.list({ limit: 10 }))).items).toHaveLength(1);
  });

  it('serves many units on two connections', async () => {
    client = connected({ max: 2 });
    const { store } = await open({ statementTimeoutMs: 20_000 });
    const tenantId = await newTenant(store);
    const keys = await Promise.all(Array.from({ length: 20 }, () => insertKey(store, sampleKey(tenantId))));
    const read = await Promise.all(keys.map(({ keyId }) => store.readKey(tenantId, keyId)));
    expect(read.map((key) => key?.keyId)).toEqual(keys.map(({ keyId }) => keyId));
    const names = await connections();
    expect(names.filter((name) => name === 'application').length).toBeLessThanOrEqual(2);
  });

  it('ends a unit whose connection is terminated during a statement, without a trace', async () => {
    const { store } = await open();
    const tenantId = await newTenant(store);
    const contested = await insertKey(store, sampleKey(tenantId));
    const added = sampleKey(tenantId);
    const blocker = rawSql(database.url);
    await blocker.unsafe(`begin; select 1 from kms.keys where key_id = '${contested.keyId}' for update`);
    const unit = asTenant(store, tenantId, async (work) => {
      await work.keys.insert(added);
      await work.keys.get(contested.keyId, { lock: true });
    });
    await sleep(100);
    await Promise.all([expect(unit).rejects.toMatchObject(UNAVAILABLE), terminateAll()]);
    await blocker.unsafe('rollback');
    await blocker.end();
    await readsNothing(store, tenantId, added.keyId);
  });

  it('lets no statement of a lost unit run on the connection that the application has next', async () => {
    const { store } = await open();
    await client`create table notes (text text)`;
    const tenantId = await newTenant(store);
    const keys = Array.from({ length: 5 }, () => sampleKey(tenantId));
    const unit = asTenant(store, tenantId, async (work) => {
      await terminateAll();
      await sleep(20);
      // Work that goes on after an error must not get anywhere either.
      for (const key of keys) await work.keys.insert(key).catch(() => undefined);
    });
    const theirs = sleep(30).then(() => client.begin((tx) => tx`insert into notes values ('theirs')`));
    await expect(unit).rejects.toMatchObject(UNAVAILABLE);
    await theirs;
    expect([...(await client`select text from notes`)]).toEqual([{ text: 'theirs' }]);
    for (const { keyId } of keys) await readsNothing(store, tenantId, keyId);
    await newTenant(store);
  });

  it('takes back a unit that takes too long, and gives its connection back', async () => {
    const { store } = await open({ statementTimeoutMs: 400 });
    const tenantId = await newTenant(store);
    const key = sampleKey(tenantId);
    let late: Promise<void> | undefined;
    const slow = asTenant(store, tenantId, async (work) => {
      await work.keys.insert(key);
      await sleep(800);
      late = work.keys.insert(sampleKey(tenantId));
      await late;
    });
    await expect(slow).rejects.toMatchObject(UNAVAILABLE);
    await sleep(600);
    await expect(late).rejects.toBeInstanceOf(Error);
    await readsNothing(store, tenantId, key.keyId);
    expect([...(await client`select 1 as one`)]).toEqual([{ one: 1 }]);
  });

  it('does not report success for a unit that swallowed the failure of a statement', async () => {
    const { store } = await open();
    const tenantId = await newTenant(store);
    const key = sampleKey(tenantId);
    const unit = asTenant(store, tenantId, async (work) => {
      await work.keys.insert(key);
      await work.keys.insert(sampleKey(tenantId, { state: 'revoked' })).catch(() => undefined);
    });
    await expect(unit).rejects.toMatchObject({ code: 'INTERNAL_ERROR' });
    await readsNothing(store, tenantId, key.keyId);
  });

  it('finds out whether a unit was committed whose answer was lost', async () => {
    const direct = new URL(database.url);
    const proxy = await startTcpProxy(Number(direct.port));
    direct.port = String(proxy.port);
    client = connected({ max: 1 }, direct.href);
    const { store, commits } = await open();
    const tenantId = await newTenant(store);
    const key = sampleKey(tenantId);
    await aside((sql) =>
      sql.unsafe(`create function kms.wait() returns trigger language plpgsql as $$ begin perform pg_sleep(0.5); return null; end $$;
        create constraint trigger slow after insert on kms.keys deferrable initially deferred for each row execute function kms.wait()`),
    );
    const unit = asTenant(store, tenantId, (work) => work.keys.insert(key));
    await sleep(250);
    proxy.cut();
    await unit;
    expect((await store.readKey(tenantId, key.keyId))?.keyId).toBe(key.keyId);
    await expect(commits.check()).resolves.toBeUndefined();
    await proxy.stop();
  });

  it('takes no transaction for a client, and no client that writes values in another way', async () => {
    const refused = { code: 'BAD_REQUEST', message: expect.stringContaining('no transaction') };
    await client.begin(async (tx) => {
      // As somebody without types might do.
      const notOne = tx as unknown as Sql;
      await expect(openPostgresStore({ client: notOne, migrate: 'auto' })).rejects.toMatchObject(refused);
    });
    for (const [name, value] of [
      ['DateStyle', 'SQL, DMY'],
      ['bytea_output', 'escape'],
    ] as const) {
      client = connected({ max: 1, connection: { [name]: value } });
      await expect(open(), name).rejects.toMatchObject({
        code: 'INTERNAL_ERROR',
        message: expect.stringContaining(`another ${name}`),
      });
    }
  });

  it('wants to know how a connection to notifyUrl is protected', async () => {
    await expect(open({ notifyUrl: database.url })).rejects.toMatchObject({
      code: 'BAD_REQUEST',
      message: expect.stringContaining('ssl'),
    });
  });
});

describe('a store on a client of a pooler in transaction mode', () => {
  let database: TestDatabase;
  let pooler: Pgbouncer;

  beforeAll(async () => {
    database = await createDatabase();
    pooler = await startPgbouncer({
      serverUrl: process.env['TEST_DATABASE_URL'] ?? '',
      mode: 'transaction',
      settings: { default_pool_size: '2' },
    });
  });
  afterAll(async () => {
    await pooler.stop();
    await database.drop();
  });

  it('shares the sessions of the pooler, and hears notices past it', async () => {
    const options = { max: 5, prepare: false, onnotice: () => undefined } as const;
    const clients = [postgres(pooler.url(database.url), options), postgres(pooler.url(database.url), options)];
    const storages = [];
    for (const client of clients)
      storages.push(
        await openPostgresStore({
          client,
          notifyUrl: database.url,
          ssl: 'disable',
          migrate: 'auto',
          statementTimeoutMs: 20_000,
        }),
      );
    const [one, two] = storages;
    if (one === undefined || two === undefined) throw new Error('two were opened');
    two.changes.subscribe(() => undefined);
    await delivered(two.changes);
    const tenantId = await newTenant(one.store);
    const keys = await Promise.all(
      Array.from({ length: 20 }, (_, index) => insertKey(index % 2 === 0 ? one.store : two.store, sampleKey(tenantId))),
    );
    for (const { keyId } of keys) expect(await two.store.readKey(tenantId, keyId)).toBeDefined();
    await delivered(two.changes);
    for (const storage of storages) await storage.close();
    for (const client of clients) await client.end();
  });
});

it.each(['columns and values', 'whole rows'])(
  'a client that transforms %s is taken only if it can be read',
  async (what) => {
    const database = await createDatabase();
    const transform = what === 'whole rows' ? { row: { from: () => ({}) } } : postgres.camel;
    const client = postgres(database.url, { max: 1, onnotice: () => undefined, transform });
    const opening = openPostgresStore({ client, migrate: 'auto', schema: 'rows' });
    if (what === 'whole rows')
      await expect(opening).rejects.toMatchObject({ code: 'BAD_REQUEST', message: /transform\.row/ });
    else await (await opening).close();
    await client.end();
    await database.drop();
  },
);
