import type { CommitMemory, KnownCommits, Store } from '@qnsp/kms-core/ports';
import { newTenant } from '@qnsp/kms-core/testing';
import { openPostgresStore, type PostgresStoreOptions } from '@qnsp/kms-store-drizzle';
import {
  createDatabase,
  type PostgresServer,
  type StandbyServer,
  startPostgres,
  startStandby,
  startTcpProxy,
  type TcpProxy,
} from '@qnsp/test-harness';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rawSql } from './raw-sql.ts';

type Opened = Awaited<ReturnType<typeof openPostgresStore>>;

let primary: PostgresServer;
let standby: StandbyServer;
/** Between primary and standby. */
let replication: TcpProxy;
/** The address of the database, which moves. */
let address: TcpProxy;
let name: string;
const opened: Opened[] = [];

beforeEach(async () => {
  primary = await startPostgres();
  name = (await createDatabase(primary.url)).name;
  replication = await startTcpProxy(primary.port);
  standby = await startStandby(replication.port, 'second');
  address = await startTcpProxy(primary.port);
}, 600_000);
afterEach(async () => {
  while (opened.length > 0) await opened.pop()?.close();
  await Promise.all([address.stop(), replication.stop()]);
  await Promise.all([standby.stop(), primary.stop()]);
}, 600_000);

async function open(options: Partial<PostgresStoreOptions> = {}): Promise<Opened> {
  const url = `postgres://postgres@127.0.0.1:${address.port}/${name}`;
  const store = await openPostgresStore({ url, ssl: 'disable', migrate: 'auto', poolMax: 4, ...options });
  opened.push(store);
  return store;
}

async function ask<T extends object>(port: number, query: string): Promise<readonly T[]> {
  const sql = rawSql(`postgres://postgres@127.0.0.1:${port}/${name}`);
  try {
    return await sql.unsafe<T[]>(query);
  } finally {
    await sql.end();
  }
}

async function caughtUp(): Promise<void> {
  const [{ at } = { at: '' }] = await ask<{ at: string }>(primary.port, 'select pg_current_wal_lsn()::text as at');
  await expect
    .poll(async () => ask(standby.port, `select from pg_last_wal_replay_lsn() as at where at >= '${at}'`), {
      timeout: 20_000,
    })
    .toHaveLength(1);
}

/** The primary is lost, and the address leads to the standby, which takes writes from now on. */
async function failOver(): Promise<void> {
  await primary.kill9();
  await standby.promote();
  address.moveTo(standby.port);
}

const isSealed = { code: 'SEALED' };
const tenants = (store: Store) =>
  store.transact({ kind: 'system' }, async (unit) => (await unit.tenants.list({ limit: 200 })).items);

describe('the address of the database moves to a standby', { timeout: 600_000 }, () => {
  it('that has everything: all goes on, for those that know something and those that do not', async () => {
    const [one, other] = [await open(), await open()];
    const tenantId = await newTenant(one.store);
    await caughtUp();
    await failOver();
    expect((await tenants(one.store)).map((tenant) => tenant.tenantId)).toContain(tenantId);
    await newTenant(one.store);
    expect(await tenants(other.store)).toHaveLength(2);
    await one.commits.check();
    expect([one.commits.lacking, other.commits.lacking]).toEqual([[], []]);
  });

  it('that lagged: whatever comes first is refused, also after others have committed more than was lost', async () => {
    const firsts: readonly ((store: Store) => Promise<unknown>)[] = [tenants, newTenant, (store) => store.ping()];
    const held = new Map<string, KnownCommits>();
    const memory: CommitMemory = {
      recall: async (holders) => holders.flatMap((holder) => held.get(holder) ?? []),
      keep: (known) => void held.set(known.holder, known),
    };
    const stores = await Promise.all(firsts.map(() => open()));
    const [dying, listener] = [await open(), await open()];
    for (const { commits } of [dying, listener]) commits.rememberIn(memory);
    for (const { store } of [...stores, dying, listener]) await newTenant(store);
    await caughtUp();
    replication.stall();
    const lost = await Promise.all([...stores, dying].map(({ store }) => newTenant(store)));
    let told = 0;
    for (const { commits } of stores)
      commits.onBehind(() => {
        told += 1;
      });
    await dying.close();
    await failOver();
    const fresh = await open();
    for (let made = 0; made < 20; made += 1) await newTenant(fresh.store);
    await Promise.all(
      stores.map(async ({ store }, index) => {
        await expect(firsts[index]?.(store)).rejects.toMatchObject(isSealed);
        for (const work of firsts) await expect(work(store)).rejects.toMatchObject(isSealed);
      }),
    );
    expect(told).toBe(stores.length);
    const rows = await ask<{ id: string }>(standby.port, `select tenant_id as id from kms.tenants`);
    expect(rows.filter(({ id }) => lost.includes(id))).toEqual([]);
    expect(rows).toHaveLength(stores.length + 2 + 20);
    // It has lost nothing itself, and is told by the memory about the one that is gone.
    await expect(tenants(listener.store)).rejects.toMatchObject(isSealed);
    // Who has no memory can be asked.
    expect(fresh.commits.lacking).toEqual([]);
    expect(await fresh.commits.lackingOf([...held.values()])).toEqual([dying.commits.known.holder]);
    expect(await fresh.commits.recentHolders()).toEqual(expect.arrayContaining([...held.keys()]));
  });

  it('that lags and is not promoted yet: it is not believed, and catches up', async () => {
    const { store, commits } = await open();
    await newTenant(store);
    await caughtUp();
    replication.stall();
    await newTenant(store);
    address.moveTo(standby.port);
    await expect(tenants(store)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', message: /standby that lags/ });
    expect(commits.lacking).toEqual([]);
    replication.resume();
    await expect
      .poll(
        () =>
          tenants(store).then(
            (list) => list.length,
            () => 0,
          ),
        { timeout: 20_000 },
      )
      .toBe(2);
    await standby.promote();
    await expect
      .poll(
        () =>
          newTenant(store).then(
            () => true,
            () => false,
          ),
        { timeout: 20_000 },
      )
      .toBe(true);
  });
});

describe('a synchronous standby is required', { timeout: 600_000 }, () => {
  it('changes are refused while there is none, and reads go on; what was acknowledged is there after a failover', async () => {
    const { store } = await open({ requireStandby: true });
    const acknowledged: string[] = [];
    const change = () =>
      newTenant(store).then(
        (tenantId) => {
          acknowledged.push(tenantId);
          return 'made';
        },
        (error: unknown) => String(error),
      );
    expect(await change()).toMatch(/no synchronous standby/);
    expect(await tenants(store)).toEqual([]);
    await ask(primary.port, `alter system set synchronous_standby_names = 'second'`);
    await ask(primary.port, 'select pg_reload_conf()');
    await expect.poll(change, { timeout: 20_000 }).toBe('made');
    replication.cut();
    replication.stall();
    // Until the server has noticed, a change waits for the standby: whether it was made stays open.
    await expect.poll(change, { timeout: 20_000 }).toMatch(/no synchronous standby/);
    expect((await tenants(store)).map(({ tenantId }) => tenantId)).toEqual(expect.arrayContaining(acknowledged));
    replication.resume();
    await expect.poll(change, { timeout: 20_000 }).toBe('made');
    expect(acknowledged.length).toBeGreaterThan(1);
    await failOver();
    expect((await tenants(store)).map(({ tenantId }) => tenantId)).toEqual(expect.arrayContaining(acknowledged));
  });
});
