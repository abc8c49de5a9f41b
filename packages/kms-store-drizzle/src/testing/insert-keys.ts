import type { KeyRecord } from '@qnsp/kms-core/ports';
import { getTableColumns, getTableName } from 'drizzle-orm';
import type { PgTable } from 'drizzle-orm/pg-core';
import postgres, { type TransactionSql } from 'postgres';
import { toKeyRow, toVersionRow } from '../records/key-rows.ts';
import { keyVersions } from '../schema/key-versions.ts';
import { keys } from '../schema/keys.ts';

/**
 * Writes many whole keys, for tests and benchmarks of large databases: a batch is two statements in one transaction, and
 * all triggers and constraints hold. The tables are vacuumed at the end.
 *
 * @param url a user whom row-level security does not bind
 */
export async function insertKeys(url: string, batches: Iterable<readonly KeyRecord[]>): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  try {
    for (const batch of batches) {
      await sql.begin(async (tx) => {
        await insertRows(tx, keys, batch.map(toKeyRow));
        await insertRows(
          tx,
          keyVersions,
          batch.flatMap((key) => key.versions.map((version) => toVersionRow(key, version))),
        );
      });
    }
    // What autovacuum does after a while, whenever that is.
    await sql.unsafe('vacuum (analyze) kms.keys, kms.key_versions');
  } finally {
    await sql.end();
  }
}

async function insertRows(tx: TransactionSql, table: PgTable, rows: readonly object[]): Promise<void> {
  const columns = Object.entries(getTableColumns(table));
  const json = rows.map((row) =>
    Object.fromEntries(columns.map(([field, column]) => [column.name, jsonOf(Reflect.get(row, field))])),
  );
  const name = `kms."${getTableName(table)}"`;
  const names = columns.map(([, column]) => `"${column.name}"`).join(', ');
  await tx.unsafe(
    `insert into ${name} (${names}) select ${names} from json_populate_recordset(null::${name}, $1::text::json)`,
    [JSON.stringify(json)],
  );
}

/** Bytes as PostgreSQL reads them from text; all else is JSON as it is. */
function jsonOf(value: unknown): unknown {
  return value instanceof Uint8Array ? `\\x${Buffer.from(value).toString('hex')}` : value;
}
