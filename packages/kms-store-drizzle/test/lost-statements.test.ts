import { createDatabase, type TestDatabase } from '@qnsp/test-harness';
import { sql } from 'drizzle-orm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Connection } from '../src/postgres/connection.ts';
import { wayTo } from '../src/postgres/way-to-server.ts';

describe('a prepared statement', () => {
  let database: TestDatabase;
  let connection: Connection;

  beforeEach(async () => {
    database = await createDatabase();
    connection = new Connection({
      ...wayTo(database.url, { ssl: 'disable' }),
      name: 'qnsp-kms',
      pooled: false,
      serverTimeoutMs: 0,
    });
  });
  afterEach(async () => {
    await connection.end();
    await database.drop();
  });

  it('that the server has lost runs again with the values that it was given', async () => {
    const given = {
      bytes: Buffer.from('00ff5c78', 'hex'),
      yes: true,
      no: false,
      text: '\\x00 t',
      number: 7,
      json: '{"a":[1,"b"]}',
      date: '2026-01-31 23:59:59.999+00',
    };
    const placed = sql.placeholder;
    const statement = connection.db
      .select({
        bytes: sql`encode(${placed('bytes')}::bytea, 'hex')`,
        yes: sql`${placed('yes')}::boolean`,
        no: sql`${placed('no')}::boolean`,
        text: sql`${placed('text')}::text`,
        number: sql`${placed('number')}::int`,
        json: sql`${placed('json')}::jsonb ->> 'a'`,
        date: sql`extract(epoch from ${placed('date')}::timestamptz)::text`,
      })
      .from(sql`(select 1) as one`)
      .prepare('sample');
    const [first] = await statement.execute(given);
    expect(first).toMatchObject({ bytes: '00ff5c78', yes: true, no: false, text: '\\x00 t', number: 7 });
    expect(await statement.execute(given)).toEqual([first]);
    const prepared = async () => (await connection.simple('select name from pg_prepared_statements')).length;
    expect(await prepared()).toBe(1);
    await connection.simple('deallocate all');
    expect(await prepared()).toBe(0);
    expect(await statement.execute(given)).toEqual([first]);
    expect(await prepared()).toBe(1);
  });

  it('is never left in a session of a pooler', async () => {
    const pooled = new Connection({
      ...wayTo(database.url, { ssl: 'disable' }),
      name: 'qnsp-kms',
      pooled: true,
      serverTimeoutMs: 1234,
    });
    const statement = pooled.db
      .select({ value: sql`${sql.placeholder('value')}::int` })
      .from(sql`(select 1) as one`)
      .prepare('sample');
    expect(await statement.execute({ value: 7 })).toEqual([{ value: 7 }]);
    expect(await pooled.simple('select name from pg_prepared_statements')).toHaveLength(0);
    // Its limits of time stand within a transaction, and there alone.
    const limits = `select current_setting('statement_timeout') || current_setting('lock_timeout') ||
      current_setting('idle_in_transaction_session_timeout') as now`;
    expect(await pooled.begin(limits)).toBe('1234ms1234ms1234ms');
    await pooled.commit();
    expect((await pooled.simple(limits))[0]).toEqual({ now: '000' });
    await pooled.end();
  });
});
