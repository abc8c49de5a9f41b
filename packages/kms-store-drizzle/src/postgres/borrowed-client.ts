import { KmsError } from '@qnsp/kms-core';
import { PostgresJsDatabase, PostgresJsSession } from 'drizzle-orm/postgres-js';
import type { Sql, TransactionSql } from 'postgres';
import type { Db } from '../driver/driver.ts';
import type { Names } from '../driver/names.ts';
import { dialectFor } from '../driver/schema-dialect.ts';
import { toStoreError } from '../driver/store-errors.ts';
import { READERS, textOf } from '../driver/value-types.ts';
import type { PostgresClient } from './postgres-client.ts';

/** What statements are sent to: a client, or a transaction of one. */
export type Sink = Pick<Sql, 'unsafe' | 'typed'> | Pick<TransactionSql, 'unsafe' | 'typed'>;

export type Row = Readonly<Record<string, unknown>>;

/** A parameter of this type is one of which the server finds out the type, and the client leaves it as it is. */
const UNKNOWN_TYPE = 705;

/**
 * @throws KmsError `BAD_REQUEST` for what is not a client, such as a transaction of one, and for one that transforms whole rows: postgres.js
 *   does so even where it is asked for their bytes.
 */
export function requireClient(client: PostgresClient): Sql {
  if (!isClient(client))
    throw new KmsError('BAD_REQUEST', 'The client must be one that postgres() made, and no transaction of it.');
  const { row } = client.options.transform as { readonly row?: { readonly from?: unknown } };
  if (typeof row?.from === 'function')
    throw new KmsError(
      'BAD_REQUEST',
      'The client transforms whole rows (transform.row), which the store could not read. Give it another client, or transform columns and values.',
    );
  return client;
}

function isClient(client: PostgresClient): client is Sql {
  return typeof client === 'function' && 'begin' in client && 'unsafe' in client && 'options' in client;
}

/**
 * Runs statements for drizzle with the values of the store, whatever types and transformations the client has: parameters
 * are sent as text, rows are read from their bytes.
 *
 * @param mayRun throws if nothing may be sent any more
 * @param onFailure is told of each failure before the sender of the statement
 */
export function databaseOn(
  sink: Sink,
  names: Pick<Names, 'schema'>,
  mayRun: () => void = () => undefined,
  onFailure: (error: unknown) => void = () => undefined,
): Db {
  const client = {
    unsafe(text: string, parameters: readonly unknown[] = [], options: { readonly prepare?: boolean } = {}) {
      mayRun();
      const sent = parameters.map((value) =>
        value === null ? null : sink.typed(textOf(value) as never, UNKNOWN_TYPE),
      );
      const query = sink.unsafe(text, sent as never[], options).raw();
      let mapped: (row: RawRow, columns: readonly Column[]) => unknown = byName;
      const answered = query.then(
        (rows) => (rows as unknown as readonly RawRow[]).map((row) => mapped(row, columnsOf(rows))),
        (error: unknown) => {
          onFailure(error);
          throw error;
        },
      );
      // As a query of postgres.js has it: called before there is an answer.
      const values = () => {
        mapped = valuesIn;
        return answered;
      };
      return Object.assign(answered, { values });
    },
  };
  const dialect = dialectFor(names);
  // Of a client the session calls nothing else.
  const session = new PostgresJsSession(client as unknown as Sql, dialect, undefined);
  return new PostgresJsDatabase(dialect, session, undefined);
}

/** Runs statements without parameters and reads the rows of the last one. Throws an error of the store port. */
export async function simple(sink: Sink, text: string): Promise<readonly Row[]> {
  try {
    const answer: unknown = await sink.unsafe(text).raw();
    const results = answer as readonly RawResult[] | RawResult;
    // For several statements postgres.js answers a list of results.
    const last = 'columns' in results ? results : results.at(-1);
    if (last === undefined) return [];
    return [...last].map((row) => byName(row, columnsOf(last)));
  } catch (error) {
    throw toStoreError(error);
  }
}

type RawRow = readonly (Buffer | null)[];
interface Column {
  readonly name: string;
  readonly type: number;
}
interface RawResult extends Iterable<RawRow> {
  readonly columns: readonly Column[] | null | undefined;
}

function columnsOf(result: unknown): readonly Column[] {
  return (result as RawResult).columns ?? [];
}

function valuesIn(row: RawRow, columns: readonly Column[]): unknown[] {
  return row.map((bytes, index) => {
    if (bytes === null) return null;
    const text = bytes.toString('utf8');
    return READERS[columns[index]?.type ?? 0]?.(text) ?? text;
  });
}

function byName(row: RawRow, columns: readonly Column[]): Row {
  const values = valuesIn(row, columns);
  return Object.fromEntries(columns.map(({ name }, index) => [name, values[index]]));
}
