import { setTimeout as sleep } from 'node:timers/promises';
import type { Store, UnitOfWork } from '@qnsp/kms-core/ports';
import { asTenant, insertKey, newTenant, nextRevision, sampleKey, SYSTEM } from '@qnsp/kms-core/testing';
import { openPostgresStore, type PostgresStoreOptions } from '@qnsp/kms-store-drizzle';
import { createDatabase, lostTime, type PostgresServer, startPostgres, type TestDatabase } from '@qnsp/test-harness';
import type { Sql } from 'postgres';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { rawSql } from './raw-sql.ts';

const LIMIT_MS = 600;
const UNAVAILABLE = { code: 'STORE_UNAVAILABLE', retryAfterSeconds: 1 };

describe('a database that fails', () => {
  let server: PostgresServer;
  let database: TestDatabase;
  const closes: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    server = await startPostgres({ settings: { deadlock_timeout: '100ms' } });
  });
  afterAll(async () => {
    await server.stop();
  });
  beforeEach(async () => {
    database = await createDatabase(server.url);
  });
  afterEach(async () => {
    for (const close of closes.splice(0)) await close();
    await database.drop();
  });

  async function open(options: Partial<PostgresStoreOptions> = {}): Promise<Store> {
    const { store, close } = await openPostgresStore({
      url: database.url,
      ssl: 'disable',
      migrate: 'auto',
      statementTimeoutMs: LIMIT_MS,
      ...options,
    });
    closes.push(close);
    return store;
  }

  async function aside<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    const sql = rawSql(database.url);
    try {
      return await work(sql);
    } finally {
      await sql.end();
    }
  }

  function terminateAll(): Promise<unknown> {
    return aside(
      (sql) => sql`select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and application_name = 'qnsp-kms'`,
    );
  }

  async function connections(): Promise<number> {
    const [row] = await aside(
      (sql) => sql`select count(*)::int as open from pg_stat_activity
        where datname = current_database() and application_name = 'qnsp-kms'`,
    );
    return Number(row?.['open']);
  }

  /** Whatever a store does must end within its limit; to end takes a little, too. */
  async function unavailableInTime(attempt: Promise<unknown>): Promise<void> {
    const [lost, begun] = [lostTime(), performance.now()];
    await expect(attempt).rejects.toMatchObject(UNAVAILABLE);
    expect(performance.now() - begun).toBeLessThan(LIMIT_MS + 400 + lost());
  }

  it('lets services on several databases make the role at the same time', async () => {
    const [first] = await aside((sql) => sql`select count(*)::int as roles from pg_roles where rolname = 'kms_app'`);
    expect(first, 'this test must be the first on its server').toEqual({ roles: 0 });
    await aside((sql) => sql.unsafe('create role founder login createrole'));
    const databases = await Promise.all(Array.from({ length: 4 }, () => createDatabase(server.url)));
    const stores = databases.map(async ({ url, name }) => {
      await aside((sql) => sql.unsafe(`alter database ${name} owner to founder`));
      const asFounder = new URL(url);
      asFounder.username = 'founder';
      await newTenant(await open({ url: asFounder.href }));
    });
    await Promise.all(stores);
    for (const close of closes.splice(0)) await close();
    await Promise.all(databases.map((each) => each.drop()));
  });

  it('says so when the server is gone, and serves as soon as it is back', async () => {
    const store = await open();
    const tenantId = await newTenant(store);
    const key = await insertKey(store, sampleKey(tenantId));
    await server.kill9();
    await unavailableInTime(store.ping());
    await unavailableInTime(store.readKey(tenantId, key.keyId));
    await unavailableInTime(store.findToken(new Uint8Array(32)));
    await unavailableInTime(newTenant(store));
    await expect(open()).rejects.toMatchObject(UNAVAILABLE);
    await server.restart();
    await expect(store.readKey(tenantId, key.keyId)).resolves.toMatchObject({ keyId: key.keyId });
    await newTenant(store);
  });

  it('gives up on a server that hangs, and serves when it answers again', async () => {
    const store = await open({ poolMax: 2 });
    const tenantId = await newTenant(store);
    server.sigstop();
    try {
      const attempts = [
        store.ping(),
        store.findToken(new Uint8Array(32)),
        newTenant(store),
        asTenant(store, tenantId, async () => 1),
      ];
      await Promise.all(attempts.map(unavailableInTime));
      await unavailableInTime(store.ping());
      await expect(open({ connectTimeoutSeconds: 0.3 })).rejects.toMatchObject(UNAVAILABLE);
    } finally {
      server.sigcont();
    }
    await expect(store.ping()).resolves.toBeUndefined();
    await newTenant(store);
  });

  it('ends a unit whose connection is terminated during a statement, without a trace', async () => {
    const store = await open({ statementTimeoutMs: 5000 });
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
    await expect(store.readKey(tenantId, added.keyId)).resolves.toBeUndefined();
  });

  it('lets no statement of a lost unit run on another connection', async () => {
    const store = await open({ poolMax: 1 });
    const tenantId = await newTenant(store);
    const keys = Array.from({ length: 5 }, () => sampleKey(tenantId));
    const unit = asTenant(store, tenantId, async (work) => {
      await terminateAll();
      await sleep(20);
      // Work that goes on after an error must not get anywhere either.
      for (const key of keys) await work.keys.insert(key).catch(() => undefined);
    });
    // Another user of the only place in the pool, at the same time.
    const other = sleep(30).then(() => newTenant(store));
    await expect(unit).rejects.toMatchObject(UNAVAILABLE);
    await other;
    for (const key of keys) await expect(store.readKey(tenantId, key.keyId)).resolves.toBeUndefined();
  });

  it('survives the loss of all idle connections', async () => {
    const store = await open();
    await Promise.all(Array.from({ length: 5 }, () => newTenant(store)));
    await terminateAll();
    await sleep(50);
    await Promise.all(Array.from({ length: 5 }, () => newTenant(store)));
  });

  it('does not wait for a lock beyond the limit', async () => {
    const store = await open();
    const tenantId = await newTenant(store);
    const key = await insertKey(store, sampleKey(tenantId));
    const blocker = rawSql(database.url);
    await blocker.unsafe(`begin; select 1 from kms.keys where key_id = '${key.keyId}' for update`);
    await unavailableInTime(asTenant(store, tenantId, (unit) => unit.keys.get(key.keyId, { lock: true })));
    await blocker.unsafe('rollback');
    await blocker.end();
    expect(await connections()).toBe(1);
    await asTenant(store, tenantId, (unit) => unit.keys.update(nextRevision(key), 1));
  });

  it('answers one of two units that wait for each other', async () => {
    const store = await open({ statementTimeoutMs: 5000 });
    const tenantId = await newTenant(store);
    const [a, b] = [await insertKey(store, sampleKey(tenantId)), await insertKey(store, sampleKey(tenantId))];
    let holding = 0;
    const { promise: bothHold, resolve } = Promise.withResolvers<void>();
    const lockBoth = (first: string, second: string): Promise<void> =>
      asTenant(store, tenantId, async (unit) => {
        await unit.keys.get(first, { lock: true });
        holding += 1;
        if (holding === 2) resolve();
        await bothHold;
        await unit.keys.get(second, { lock: true });
      });
    const outcomes = await Promise.allSettled([lockBoth(a.keyId, b.keyId), lockBoth(b.keyId, a.keyId)]);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(outcomes.find(({ status }) => status === 'rejected')).toMatchObject({ reason: UNAVAILABLE });
  });

  it('ends a unit whose work takes too long, and keeps nothing of it', async () => {
    const store = await open();
    const tenantId = await newTenant(store);
    const key = sampleKey(tenantId);
    let late: Promise<void> | undefined;
    const slow = asTenant(store, tenantId, async (unit: UnitOfWork) => {
      await unit.keys.insert(key);
      await sleep(LIMIT_MS * 2);
      late = unit.keys.insert(sampleKey(tenantId));
      await late;
    });
    await unavailableInTime(slow);
    await sleep(LIMIT_MS * 1.5);
    await expect(late).rejects.toBeInstanceOf(Error);
    await expect(store.readKey(tenantId, key.keyId)).resolves.toBeUndefined();
  });

  it('does not let callers wait for a connection beyond the limit', async () => {
    const store = await open({ poolMax: 1 });
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const holder = store.transact(SYSTEM, async () => {
      await sleep(LIMIT_MS - 150);
      await held;
    });
    await sleep(450);
    // The holder loses its connection at its own limit; who came later may still get one.
    const waiting = store.ping();
    await expect(holder).rejects.toMatchObject(UNAVAILABLE);
    await expect(waiting).resolves.toBeUndefined();
    release();

    const busy = Array.from({ length: 8 }, () => store.transact(SYSTEM, () => sleep(LIMIT_MS / 3)));
    const outcomes = await Promise.allSettled(busy);
    const kept = outcomes.filter(({ status }) => status === 'fulfilled').length;
    expect(kept).toBeGreaterThan(0);
    expect(kept).toBeLessThan(4);
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject(UNAVAILABLE);
    await expect(store.ping()).resolves.toBeUndefined();
  });

  it('opens no more connections than the pool may have, however much there is to do', async () => {
    const store = await open({ poolMax: 3, statementTimeoutMs: 20_000 });
    const counts: number[] = [];
    const busy = Array.from({ length: 12 }, () =>
      store.transact(SYSTEM, async () => {
        counts.push(await connections());
      }),
    );
    await Promise.all(busy);
    expect(counts).toHaveLength(12);
    expect(Math.max(...counts)).toBe(3);
  });

  it('says so when the server takes no more connections', async () => {
    await aside((sql) => sql.unsafe(`create role crowded login connection limit 1; grant kms_app to crowded`));
    await open();
    const url = new URL(database.url);
    url.username = 'crowded';
    const store = await open({ url: url.href, migrate: 'off' });
    const first = store.transact(SYSTEM, () => sleep(200));
    await sleep(50);
    await unavailableInTime(store.ping());
    await first;
    await expect(store.ping()).resolves.toBeUndefined();
    for (const close of closes.splice(0)) await close();
    await aside((sql) => sql`drop role crowded`);
  });

  it('says so when the server only reads, and goes on reading', async () => {
    const store = await open();
    const tenantId = await newTenant(store);
    const key = await insertKey(store, sampleKey(tenantId));
    await aside((sql) => sql.unsafe(`alter database ${database.name} set default_transaction_read_only = on`));
    await terminateAll();
    await sleep(50);
    await expect(newTenant(store)).rejects.toMatchObject(UNAVAILABLE);
    await expect(store.readKey(tenantId, key.keyId)).resolves.toMatchObject({ keyId: key.keyId });
  });

  it('does not report success for a unit that swallowed the failure of a statement', async () => {
    const store = await open();
    const tenantId = await newTenant(store);
    const key = sampleKey(tenantId);
    const unit = asTenant(store, tenantId, async (work) => {
      await work.keys.insert(key);
      await work.keys.insert(sampleKey(tenantId, { state: 'revoked' })).catch(() => undefined);
    });
    await expect(unit).rejects.toMatchObject({ code: 'INTERNAL_ERROR' });
    await expect(store.readKey(tenantId, key.keyId)).resolves.toBeUndefined();
  });

  it('has its unused connections closed, and all of them by close()', async () => {
    const store = await open({ idleMs: 100 });
    await Promise.all(Array.from({ length: 4 }, () => store.transact(SYSTEM, () => sleep(20))));
    expect(await connections()).toBe(4);
    await sleep(300);
    expect(await connections()).toBe(0);

    const unit = store.transact(SYSTEM, () => sleep(100).then(() => 'done'));
    const [close] = closes.splice(0);
    await sleep(20);
    const closing = close?.();
    await expect(store.ping()).rejects.toMatchObject(UNAVAILABLE);
    await expect(unit).resolves.toBe('done');
    await closing;
    expect(await connections()).toBe(0);
    await close?.();
  });
});
