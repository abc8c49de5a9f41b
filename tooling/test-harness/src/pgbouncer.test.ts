import { existsSync } from 'node:fs';
import postgres from 'postgres';
import { expect, it } from 'vitest';
import { startPgbouncer } from './pgbouncer.ts';
import { startPostgres } from './postgres-server.ts';

it('passes clients on to a server, in the mode asked for, and leaves nothing behind', async () => {
  const server = await startPostgres({ password: 'a"b c' });
  try {
    const sessions = await Promise.all(
      (['session', 'transaction'] as const).map(async (mode) => {
        const pooler = await startPgbouncer({ serverUrl: server.url, mode });
        const [one, other] = [1, 2].map(() => postgres(pooler.url(server.url), { max: 1, fetch_types: false }));
        if (one === undefined || other === undefined) throw new Error('there are two clients');
        const pids = [await one`select pg_backend_pid() as pid`, await other`select pg_backend_pid() as pid`];
        await Promise.all([one.end(), other.end()]);
        await pooler.stop();
        expect(existsSync(`/proc/${pooler.pid}`)).toBe(false);
        return new Set(pids.map(([row]) => Number(row?.['pid']))).size;
      }),
    );
    // In session mode a client keeps its session for as long as it is connected.
    expect(sessions).toEqual([2, 1]);
  } finally {
    await server.stop();
  }
});
