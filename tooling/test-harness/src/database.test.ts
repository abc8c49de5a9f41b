import postgres from 'postgres';
import { expect, it } from 'vitest';
import { createDatabase } from './database.ts';

it('gives each caller a database of its own and drops it under open connections', async () => {
  const [mine, other] = await Promise.all([createDatabase(), createDatabase()]);
  const sql = postgres(mine.url, { max: 1 });
  await sql`create table only_here (id int)`;
  const elsewhere = postgres(other.url, { max: 1 });
  expect([...(await elsewhere`select to_regclass('only_here') as found`)]).toEqual([{ found: null }]);
  await elsewhere.end();

  await Promise.all([mine.drop(), other.drop()]);
  await expect(sql`select 1`).rejects.toThrow();
  await sql.end();
  const again = postgres(mine.url, { max: 1 });
  await expect(again`select 1`).rejects.toThrow('does not exist');
  await again.end();
});
