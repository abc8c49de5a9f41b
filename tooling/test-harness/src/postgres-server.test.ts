import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import postgres from 'postgres';
import { afterEach, describe, expect, it } from 'vitest';
import { findPostgresBinaries } from './postgres-binaries.ts';
import { type PostgresServer, startPostgres } from './postgres-server.ts';

function isRunning(pid: number): boolean {
  return existsSync(`/proc/${pid}`);
}

async function query(url: string, statement: string): Promise<readonly unknown[]> {
  const sql = postgres(url, { max: 1, connect_timeout: 5 });
  try {
    return [...(await sql.unsafe(statement))];
  } finally {
    await sql.end();
  }
}

describe.skipIf(findPostgresBinaries() === undefined)('startPostgres', () => {
  let server: PostgresServer | undefined;

  afterEach(async () => {
    await server?.stop();
    server = undefined;
  });

  it('keeps what was committed through a kill and a restart', async () => {
    server = await startPostgres();
    await query(server.url, 'create table kept as select 42 as answer');
    const before = server.pid;
    await server.kill9();
    expect(isRunning(before)).toBe(false);
    await expect(query(server.url, 'select 1')).rejects.toThrow();

    await server.restart();
    expect(server.pid).not.toBe(before);
    expect(await query(server.url, 'select answer from kept')).toEqual([{ answer: 42 }]);
    expect(await query(server.url, 'show fsync')).toEqual([{ fsync: 'on' }]);
  });

  it('leaves neither process nor data behind after stop', async () => {
    const stopped = await startPostgres();
    await stopped.stop();
    expect(isRunning(stopped.pid)).toBe(false);
    expect(existsSync(stopped.dataDir)).toBe(false);
  });

  it('answers nothing while halted and goes on afterwards', async () => {
    server = await startPostgres();
    const sql = postgres(server.url, { max: 1 });
    await sql`select 1`;
    server.sigstop();
    const answer = sql<{ word: string }[]>`select 'late' as word`.then((rows) => rows[0]?.word);
    expect(await Promise.race([answer, sleep(300, 'nothing')])).toBe('nothing');
    server.sigcont();
    expect(await answer).toBe('late');
    await sql.end();
  });

  it('asks for the password when it was given one', async () => {
    server = await startPostgres({ password: 'p@ss/word', settings: { work_mem: '3MB' } });
    expect(await query(server.url, 'show work_mem')).toEqual([{ work_mem: '3MB' }]);
    const wrong = new URL(server.url);
    wrong.password = 'wrong';
    await expect(query(wrong.href, 'select 1')).rejects.toThrow('password authentication failed');
  });
});
