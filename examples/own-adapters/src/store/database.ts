import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from 'node:sqlite';
import { KmsError } from '@qnsp/kms-core';

export type Row = Record<string, SQLOutputValue>;

/** What SQLite says when it cannot serve now but may do so later: busy, locked, read-only, I/O error, full, cannot open. */
const UNAVAILABLE: ReadonlySet<number> = new Set([5, 6, 8, 10, 13, 14]);

/** One connection. Errors are those of the store port; they hold no parameter of a statement. */
export class Database {
  readonly #connection: DatabaseSync;
  /** Why nothing of the present transaction may be committed. */
  #failure: KmsError | undefined;
  readonly #statements = new Map<string, StatementSync>();

  constructor(path: string, options: { readonly readOnly?: boolean } = {}) {
    this.#connection = attempt(
      () => new DatabaseSync(path, { ...options, timeout: 1000, enableForeignKeyConstraints: true }),
    );
  }

  begin(): void {
    this.#failure = undefined;
    this.execute('begin immediate');
  }

  /** Throws what failed in the transaction, even where the work went on. */
  commit(): void {
    if (this.#failure !== undefined) throw this.#failure;
    this.execute('commit');
  }

  rollBack(): void {
    // A full disk may have ended it already.
    if (this.#connection.isTransaction) this.execute('rollback');
  }

  /** For what is refused before SQLite sees it, as a constraint would. */
  fail(error: KmsError): void {
    this.#failure ??= error;
  }

  /** Statements without parameters, one or several. */
  execute(sql: string): void {
    attempt(() => this.#connection.exec(sql));
  }

  /** Answers how many rows were changed. */
  run(sql: string, ...values: readonly SQLInputValue[]): number {
    return this.#attempt(() => Number(this.#prepared(sql).run(...values).changes));
  }

  row(sql: string, ...values: readonly SQLInputValue[]): Row | undefined {
    return this.#attempt(() => this.#prepared(sql).get(...values));
  }

  rows(sql: string, ...values: readonly SQLInputValue[]): Row[] {
    return this.#attempt(() => this.#prepared(sql).all(...values));
  }

  close(): void {
    this.#connection.close();
  }

  #attempt<T>(work: () => T): T {
    try {
      return attempt(work);
    } catch (error) {
      if (error instanceof KmsError) this.fail(error);
      throw error;
    }
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
