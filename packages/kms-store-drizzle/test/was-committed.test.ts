import { KmsError } from '@qnsp/kms-core';
import { createDatabase, type TestDatabase } from '@qnsp/test-harness';
import { openPostgresStore } from '@qnsp/kms-store-drizzle/postgres';
import postgres, { type Sql } from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CommitMarks } from '../src/commits/commit-marks.ts';
import { namesIn } from '../src/driver/names.ts';
import { databaseOn } from '../src/postgres/borrowed-client.ts';
import { BorrowedConnection } from '../src/postgres/borrowed-connection.ts';
import { Connection } from '../src/postgres/connection.ts';
import type { UnitConnection } from '../src/postgres/unit-connection.ts';
import { wayTo } from '../src/postgres/way-to-server.ts';
import { rawSql } from './raw-sql.ts';

const NAMES = namesIn(undefined);
const OPEN = { slot: 3, count: 1 };

describe('the question whether a unit of work was committed', () => {
  let database: TestDatabase;
  let client: Sql;

  beforeAll(async () => {
    database = await createDatabase();
    await (await openPostgresStore({ url: database.url, ssl: 'disable', migrate: 'only' })).close();
    client = postgres(database.url, { max: 1, onnotice: () => undefined });
  });
  afterAll(async () => {
    await client.end();
    await database.drop();
  });

  const borrowed = (marks: CommitMarks) =>
    new BorrowedConnection({
      client,
      db: databaseOn(client, NAMES),
      names: NAMES,
      serverTimeoutMs: 300,
      marks,
      requireStandby: false,
      knownUntil: 0,
    });
  const own = (pooled: boolean) => (marks: CommitMarks) =>
    new Connection({
      ...wayTo(database.url, { ssl: 'disable' }),
      name: 'qnsp-kms',
      pooled,
      serverTimeoutMs: 300,
      marks,
    });
  const CONNECTIONS: readonly (readonly [string, (marks: CommitMarks) => UnitConnection])[] = [
    ["the application's client", borrowed],
    ['a connection of its own', own(false)],
    ['a pooler', own(true)],
  ];

  it.each(CONNECTIONS)('is given up by the server in time, over %s', async (_over, connect) => {
    const marks = new CommitMarks(NAMES, 8);
    const connection = connect(marks);
    const blocker = rawSql(database.url);
    await blocker.unsafe(`begin; insert into kms.commit_marks (holder, slot, count, at)
      values ('${marks.holder}', ${OPEN.slot}, 1, now())`);
    await expect(connection.wasCommitted(OPEN)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    await blocker.unsafe('commit');
    await expect(connection.wasCommitted(OPEN)).resolves.toBe(true);
    await blocker.end();
    connection.destroy();
  });

  it("is not asked when nobody waits for its answer any more, once the application's client is free", async () => {
    const marks = new CommitMarks(NAMES, 8);
    const connection = borrowed(marks);
    const asked = await client.begin(async (tx) => {
      await tx`select 1`;
      const answer = connection.wasCommitted(OPEN).catch((error: unknown) => error);
      connection.destroy();
      return { answer };
    });
    expect(await asked.answer).toBeInstanceOf(KmsError);
    expect([...(await client`select slot from kms.commit_marks where holder = ${marks.holder}`)]).toEqual([]);
  });
});
