import { BOUNDS } from '@qnsp/kms-core';
import { metadataProblem } from '@qnsp/kms-core/internal';
import { createDatabase, type TestDatabase } from '@qnsp/test-harness';
import postgres, { type Sql } from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';

let database: TestDatabase;
let sql: Sql;
beforeAll(async () => {
  database = await createDatabase();
  sql = postgres(database.url, { max: 1 });
});
afterAll(async () => {
  await sql.end();
  await database.drop();
});

/** The longest list of one value that is still metadata, as JSON. */
function longestOf(value: unknown): string {
  let [taken, refused] = [0, BOUNDS.metadata.totalBytes];
  while (refused - taken > 1) {
    const length = Math.floor((taken + refused) / 2);
    if (metadataProblem({ a: Array.from({ length }, () => value) }) === undefined) taken = length;
    else refused = length;
  }
  return JSON.stringify({ a: Array.from({ length: taken }, () => value) });
}

test.each([
  5e-324,
  -2.225_073_858_507_201_4e-308,
  1e-7,
  0.1,
  Number.MAX_SAFE_INTEGER,
  1,
  true,
  null,
  '',
  'text',
  [],
  {},
])('metadata full of %j is about as long when the database writes it as its bounds say', async (value) => {
  const json = longestOf(value);
  const [row] = await sql`select octet_length(${json}::text::jsonb::text) as bytes`;
  expect(row?.['bytes']).toBeGreaterThan(BOUNDS.metadata.totalBytes / 2);
  // A text has quotation marks, and jsonb writes a blank behind each comma.
  expect(row?.['bytes']).toBeLessThan(4 * BOUNDS.metadata.totalBytes + 100);
});
