import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Connection } from '../src/postgres/connection.ts';
import { ConnectionPool, type PoolOptions } from '../src/postgres/connection-pool.ts';

const UNAVAILABLE = { code: 'STORE_UNAVAILABLE', retryAfterSeconds: 1 };

/** A connection that only notes what is done to it. */
class FakeConnection {
  onLost: () => void = () => undefined;
  lost = false;
  destroyed = false;

  destroy(): void {
    this.destroyed = true;
    if (this.lost) return;
    this.lost = true;
    this.onLost();
  }

  async end(): Promise<void> {
    await sleep(20);
    this.destroy();
  }
}

function fakePool(options: Partial<PoolOptions> = {}): { pool: ConnectionPool; opened: FakeConnection[] } {
  const opened: FakeConnection[] = [];
  const open = (): Connection => {
    const connection = new FakeConnection();
    opened.push(connection);
    // The pool uses nothing of a connection but what the fake has.
    return connection as unknown as Connection;
  };
  return { pool: new ConnectionPool({ open, max: 2, idleMs: 10_000, limitMs: 100, ...options }), opened };
}

describe('connection pool', () => {
  it('hands out the connection that was used last, and no more than the maximum', async () => {
    const { pool, opened } = fakePool();
    let busy = 0;
    let most = 0;
    const use = (): Promise<void> =>
      pool.use(async () => {
        busy += 1;
        most = Math.max(most, busy);
        await sleep(5);
        busy -= 1;
      });
    await use();
    await use();
    expect(opened).toHaveLength(1);
    await Promise.all([use(), use(), use(), use(), use()]);
    expect(most).toBe(2);
    expect(opened).toHaveLength(2);
    await pool.close();
  });

  it('destroys the connection of a user who takes too long, and gives its place to the next', async () => {
    const { pool, opened } = fakePool({ max: 1 });
    const slow = pool.use(() => new Promise<never>(() => undefined));
    await sleep(50);
    const next = pool.use(async () => 'served');
    await expect(slow).rejects.toMatchObject(UNAVAILABLE);
    await expect(next).resolves.toBe('served');
    expect(opened.map((connection) => connection.destroyed)).toEqual([true, false]);
    await pool.close();
  });

  it('lets nobody take longer than the limit, the wait included', async () => {
    const { pool } = fakePool({ max: 1, limitMs: 60 });
    const users = Array.from({ length: 4 }, () => pool.use(() => sleep(50)));
    const outcomes = await Promise.allSettled(users);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'rejected']);
    await expect(pool.use(async () => 'served')).resolves.toBe('served');
    await pool.close();
  });

  it('never hands out a connection that was lost while it was idle', async () => {
    const { pool, opened } = fakePool();
    await pool.use(async () => undefined);
    opened[0]?.destroy();
    await pool.use(async (connection) => expect(connection.lost).toBe(false));
    expect(opened).toHaveLength(2);
    await pool.close();
  });

  it('closes when its users are done, and refuses new ones and those who wait', async () => {
    const { pool, opened } = fakePool({ max: 1 });
    let done = false;
    const user = pool.use(() =>
      sleep(30).then(() => {
        done = true;
      }),
    );
    const waiting = pool.use(async () => undefined);
    const closing = Promise.all([pool.close(), pool.close()]);
    await expect(pool.use(async () => undefined)).rejects.toMatchObject(UNAVAILABLE);
    await expect(waiting).rejects.toMatchObject(UNAVAILABLE);
    await closing;
    expect(done).toBe(true);
    expect(opened.map((connection) => connection.destroyed)).toEqual([true]);
    await user;
    await fakePool().pool.close();
  });
});
