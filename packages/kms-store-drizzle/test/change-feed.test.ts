import { setTimeout as sleep } from 'node:timers/promises';
import type { FeedEvent } from '@qnsp/kms-core/ports';
import { asTenant, delivered, insertKey, newTenant, nextRevision, sampleKey } from '@qnsp/kms-core/testing';
import { openPostgresStore } from '@qnsp/kms-store-drizzle';
import { createDatabase, startTcpProxy, type TcpProxy, type TestDatabase } from '@qnsp/test-harness';
import type { Sql } from 'postgres';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { eventOf } from '../src/changes/channel.ts';
import { Heartbeats } from '../src/changes/heartbeats.ts';
import { rawSql } from './raw-sql.ts';

const isHeartbeats = (firstBytes: Buffer): boolean => firstBytes.includes('qnsp-kms-heartbeats');
const isNotices = (firstBytes: Buffer): boolean => firstBytes.includes('qnsp-kms-notices');

describe('the feed of a PostgreSQL database', () => {
  let database: TestDatabase;
  let proxy: TcpProxy;
  let sql: Sql;
  let opened: Awaited<ReturnType<typeof openPostgresStore>>;
  let events: FeedEvent[];
  let losses: unknown[];

  beforeEach(async () => {
    database = await createDatabase();
    sql = rawSql(database.url);
    const url = new URL(database.url);
    proxy = await startTcpProxy(Number(url.port));
    url.port = String(proxy.port);
    losses = [];
    opened = await openPostgresStore({
      url: url.href,
      ssl: 'disable',
      migrate: 'auto',
      onFeedLost: (error) => losses.push(error),
    });
    events = [];
    opened.changes.subscribe((event) => events.push(event));
    await delivered(opened.changes);
    events.length = 0;
  });
  afterEach(async () => {
    await opened.close();
    await proxy.stop();
    await sql.end();
    await database.drop();
  });

  const kinds = () => events.map((event) => event.kind).filter((kind) => kind !== 'mark');

  it('tells what anybody changes, by whatever statement', async () => {
    const { store, changes } = opened;
    const tenantId = await newTenant(store);
    const key = await insertKey(store, sampleKey(tenantId));
    await sql`update kms.keys set name = 'by hand', revision = revision + 1 where key_id = ${key.keyId}`;
    await delivered(changes);
    expect(events).toContainEqual({ kind: 'key', keyId: key.keyId });
  });

  it('begins with a gap when its connection was ended, and says why it was', async () => {
    const { store, changes } = opened;
    const tenantId = await newTenant(store);
    const key = await insertKey(store, sampleKey(tenantId));
    const ended = await sql`select pg_terminate_backend(pid) from pg_stat_activity
      where application_name = 'qnsp-kms-notices' and datname = current_database()`;
    expect(ended).toHaveLength(1);
    // Perhaps while nobody listens: then the gap stands for it.
    await asTenant(store, tenantId, (unit) => unit.keys.update(nextRevision(key), 1));
    await expect.poll(kinds).toContain('gap');
    await delivered(changes);
    expect(losses.length).toBeGreaterThan(0);
  });

  it('proves nothing while its connection is silent, and gives it up after some seconds', async () => {
    const { changes } = opened;
    proxy.stall(isNotices);
    await sleep(50);
    const silentAt = performance.now();
    await sleep(1000);
    expect(changes.provenAt()).toBeLessThan(silentAt);
    await expect.poll(() => losses.length, { timeout: 10_000 }).toBeGreaterThan(0);
    expect(changes.provenAt()).toBeLessThan(silentAt);
    proxy.resume();
    await expect.poll(kinds, { timeout: 10_000 }).toContain('gap');
    await delivered(changes);
  });

  it('does not take a server to which connecting takes seconds for one that drops notices', async () => {
    proxy.stall(isHeartbeats);
    proxy.cut(isHeartbeats);
    await expect.poll(() => losses.length).toBeGreaterThan(0);
    await sleep(4000);
    proxy.resume();
    await delivered(opened.changes);
    expect(losses.map(String)).not.toContainEqual(expect.stringContaining('pooler'));
  });

  it('takes the marks of others for points in the order, and for no proof', async () => {
    const { changes } = opened;
    proxy.stall(isNotices);
    await sleep(300);
    const before = changes.provenAt();
    const forged = `made-up.${crypto.randomUUID()}`;
    await sql`select pg_notify('kms_changes', ${`mark:${forged}`})`;
    proxy.resume();
    await expect.poll(() => events).toContainEqual({ kind: 'mark', mark: forged, at: 0, own: false });
    // What came back before it was sent by this node; nothing proves the present.
    expect(changes.provenAt()).toBeGreaterThanOrEqual(before);
    expect(events.filter((event) => event.kind === 'mark' && event.mark === forged)).toHaveLength(1);
  });

  it('numbers its own marks upwards, and does not take a mark that is repeated for its own', async () => {
    const marks = () => events.filter((event) => event.kind === 'mark');
    await expect.poll(() => marks().length, { timeout: 15_000 }).toBeGreaterThan(2);
    const [first, second, third] = marks();
    expect([first?.own, second?.own, third?.own]).toEqual([true, true, true]);
    expect(second?.at).toBeGreaterThan(first?.at ?? Infinity);
    expect(third?.at).toBeGreaterThan(second?.at ?? Infinity);
    await sql`select pg_notify('kms_changes', ${`mark:${first?.mark}`})`;
    await expect.poll(() => marks(), { timeout: 15_000 }).toContainEqual({ ...first, own: false });
  });

  it('sends fewer heartbeats while nobody asks for proof, and one at once to somebody who asks then', async () => {
    const { changes } = opened;
    /** Waits for a heartbeat to come back, asks if told so, and answers how long it takes to the next one. */
    const untilNext = async (ask: () => unknown) => {
      const beat = () =>
        new Promise<void>((resolve) => {
          const unsubscribe = changes.subscribe((event) => {
            if (event.kind !== 'mark' || !event.own) return;
            unsubscribe();
            resolve();
          });
        });
      await beat();
      const begun = performance.now();
      ask();
      await beat();
      return performance.now() - begun;
    };
    const [quiet, woken]: [number[], number[]] = [[], []];
    for (let round = 0; round < 3; round += 1) {
      await sleep(3000);
      quiet.push(await untilNext(() => undefined));
      woken.push(await untilNext(() => changes.provenAt()));
    }
    const middle = (times: readonly number[]) => times.toSorted((a, b) => a - b)[1] ?? Number.NaN;
    expect(middle(quiet)).toBeGreaterThan(400);
    expect(middle(woken)).toBeLessThan(middle(quiet) / 2);
  });

  it('takes no heartbeat of the listening session itself for a proof: it comes back where a pooler drops all else', () => {
    const own = (payload: string, session: number) =>
      eventOf(payload, (name, sender) => name === 'mine' && sender !== session);
    expect(own('mark:7.mine.41', 40)).toEqual({ kind: 'mark', mark: '7.mine.41', at: 7, own: true });
    expect(own('mark:7.mine.41', 41)).toMatchObject({ own: false });
    expect(own('mark:7.theirs.41', 40)).toMatchObject({ own: false });
  });

  it('reads what no trigger writes as a gap, of whatever kind it says that it is', () => {
    const id = '0190b0a6-5c2e-7000-8000-000000000001';
    const garbage = ['', 'zz', '0', 'ab', 'é', `${id}0`, id.slice(1), `${'ab'.repeat(31)}zz`, 'ab'.repeat(33), ' '];
    for (const kind of ['key', 'token', 'tenant', 'identity', 'other', '']) {
      for (const name of garbage)
        expect(
          eventOf(`${kind}:${name}`, () => true),
          name,
        ).toEqual({ kind: 'gap' });
      expect(eventOf(kind, () => true)).toEqual({ kind: 'gap' });
    }
    expect(eventOf(`identity:${id}`, () => true)).toEqual({ kind: 'gap' });
    expect(eventOf(`key:${'ab'.repeat(32)}`, () => true)).toEqual({ kind: 'gap' });
    for (const name of garbage) expect(eventOf(`mark:${name}`, () => false)).toMatchObject({ own: false });
    expect(eventOf(`key:${id}`, () => true)).toEqual({ kind: 'key', keyId: id });
    expect(eventOf(`token:${id}`, () => true)).toEqual({ kind: 'token', tokenId: id });
    expect(eventOf(`tenant:${id}`, () => true)).toEqual({ kind: 'tenant', tenantId: id });
    const foundBy = 'ab'.repeat(32);
    expect(eventOf(`identity:${foundBy}`, () => true)).toEqual({ kind: 'identity', foundBy });
  });

  it('sends its heartbeats from another session than the one that listens', async () => {
    const sessions = await sql<
      { name: string; pid: number }[]
    >`select application_name as name, pid from pg_stat_activity
      where application_name like 'qnsp-kms-%' and datname = current_database()`;
    const pidOf = (name: string) => sessions.find((session) => session.name === name)?.pid;
    await expect
      .poll(() => events.map((event) => (event.kind === 'mark' ? event.mark.split('.')[2] : '')))
      .toContain(String(pidOf('qnsp-kms-heartbeats')));
    expect(pidOf('qnsp-kms-notices')).toBeGreaterThan(0);
    expect(pidOf('qnsp-kms-notices')).not.toBe(pidOf('qnsp-kms-heartbeats'));
  });

  it('takes a notice that it does not understand for a gap', async () => {
    await sql`select pg_notify('kms_changes', 'colour:blue')`;
    await delivered(opened.changes);
    expect(kinds()).toEqual(['gap']);
  });

  it('opens its connection only for somebody who listens', async () => {
    const { store, close } = await openPostgresStore({ url: database.url, ssl: 'disable', migrate: 'off' });
    await store.ping();
    const listeners = await sql`select from pg_stat_activity
      where application_name = 'qnsp-kms-notices' and datname = current_database()`;
    expect(listeners).toHaveLength(1);
    await close();
  });
});

describe('a heartbeat', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it('proves the time at which it was sent, however late it comes back', () => {
    vi.useFakeTimers({ toFake: ['performance', 'Date'] });
    const heartbeats = new Heartbeats();
    expect(heartbeats.provenAt()).toBe(-Infinity);
    heartbeats.sending('a');
    const sentAt = performance.now();
    vi.advanceTimersByTime(10_000);
    heartbeats.received('a');
    expect(heartbeats.provenAt()).toBe(sentAt);
  });

  it('proves something once, and only what this node sent', () => {
    vi.useFakeTimers({ toFake: ['performance', 'Date'] });
    const heartbeats = new Heartbeats();
    heartbeats.received('foreign');
    expect(heartbeats.provenAt()).toBe(-Infinity);
    heartbeats.sending('a');
    const first = performance.now();
    vi.advanceTimersByTime(200);
    heartbeats.sending('b');
    const second = performance.now();
    heartbeats.received('b');
    // Somebody repeats an earlier one, which the later one has overtaken.
    heartbeats.received('a');
    expect([heartbeats.provenAt(), heartbeats.overdueMs()]).toEqual([second, 0]);
    expect(second).toBeGreaterThan(first);
  });

  it('that comes before one that was sent earlier shows that the earlier one was lost', () => {
    const heartbeats = new Heartbeats();
    for (const name of ['a', 'b', 'c']) heartbeats.sending(name);
    expect(['a', 'b', 'c', 'foreign'].map((name) => heartbeats.overtakes(name))).toEqual([false, true, true, false]);
    heartbeats.received('a');
    expect(heartbeats.overtakes('b')).toBe(false);
  });

  it('is worth nothing after the machine slept, which its running time does not show', () => {
    vi.useFakeTimers({ toFake: ['performance', 'Date'] });
    const heartbeats = new Heartbeats();
    heartbeats.sending('a');
    heartbeats.received('a');
    vi.setSystemTime(Date.now() + 60_000);
    expect(heartbeats.provenAt()).toBe(-Infinity);
  });

  it('is worth nothing after a sleep that would let it be used for more than a second', () => {
    vi.useFakeTimers({ toFake: ['performance', 'Date'] });
    const heartbeats = new Heartbeats();
    heartbeats.sending('a');
    heartbeats.received('a');
    // With the 750 ms for which a proof may be used.
    vi.setSystemTime(Date.now() + 240);
    expect(heartbeats.provenAt()).toBe(-Infinity);
  });

  it('that was on its way when the connection broke proves nothing, and what was proven stays', () => {
    const heartbeats = new Heartbeats();
    heartbeats.sending('a');
    heartbeats.received('a');
    const proven = heartbeats.provenAt();
    heartbeats.sending('b');
    heartbeats.interrupted();
    heartbeats.received('b');
    expect(heartbeats.provenAt()).toBe(proven);
  });
});
