import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from 'node:sqlite';
import { KmsError } from '@qnsp/kms-core';

export type Row = Record<string, SQLOutputValue>;

/** What SQLite says when it cannot serve now but may do so later: busy, locked, read-only, I/O error, full, cannot open. */
const UNAVAILABLE: ReadonlySet<number> = new Set([5, 6, 8, 10, 13, 14]);

/** One connection. Errors are those of the store port; they hold no parameter of a statement. */
export class Database {
  readonly #connection: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(path: string, options: { readonly readOnly?: boolean } = {}) {
    this.#connection = attempt(
      () => new DatabaseSync(path, { ...options, timeout: 1000, enableForeignKeyConstraints: true }),
    );
  }

  get isInTransaction(): boolean {
    return this.#connection.isTransaction;
  }

  /** Statements without parameters, one or several. */
  execute(sql: string): void {
    attempt(() => this.#connection.exec(sql));
  }

  /** Answers how many rows were changed. */
  run(sql: string, ...values: readonly SQLInputValue[]): number {
    return attempt(() => Number(this.#prepared(sql).run(...values).changes));
  }

  row(sql: string, ...values: readonly SQLInputValue[]): Row | undefined {
    return attempt(() => this.#prepared(sql).get(...values));
  }

  rows(sql: string, ...values: readonly SQLInputValue[]): Row[] {
    return attempt(() => this.#prepared(sql).all(...values));
  }

  close(): void {
    this.#connection.close();
  }

  #prepared(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#connection.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

function attempt<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw toStoreError(error);
  }
}

function toStoreError(error: unknown): KmsError {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'errcode') : undefined;
  // The lower byte is the class of an extended code.
  if (typeof code === 'number' && UNAVAILABLE.has(code & 0xff))
    return new KmsError('STORE_UNAVAILABLE', 'The database cannot serve. Try again.', {
      retryAfterSeconds: 1,
      cause: error,
    });
  return new KmsError('INTERNAL_ERROR', 'The store refused a statement.', { cause: error });
}
