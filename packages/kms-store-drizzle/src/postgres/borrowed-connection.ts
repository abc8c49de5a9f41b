import { KmsError } from '@qnsp/kms-core';
import type { Sql } from 'postgres';
import type { CommitMarks, DatabaseLook, OpenCommit } from '../commits/commit-marks.ts';
import type { Db } from '../driver/driver.ts';
import type { Names } from '../driver/names.ts';
import { isInFailedTransaction, lagging, toStoreError } from '../driver/store-errors.ts';
import { type Row, simple } from './borrowed-client.ts';
import { BorrowedTransaction } from './borrowed-transaction.ts';
import { limitStatements, NOTE_STANDBY } from './transaction-limits.ts';
import type { UnitConnection } from './unit-connection.ts';

/** How long the client is assumed to lead to the same server: each transaction may be in another session of it. */
const KNOWN_MS = 500;

export interface Borrowed {
  readonly client: Sql;
  /** On the client itself, outside transactions. */
  readonly db: Db;
  readonly names: Names;
  readonly serverTimeoutMs: number;
  /** Nothing is counted without it. */
  readonly marks?: CommitMarks;
  readonly requireStandby: boolean;
  /** Until when its server is known to have every known commit, of `performance.now()`. */
  knownUntil: number;
}

/** What one user of the application's client has of it: statements that stand alone, or one transaction. */
export class BorrowedConnection implements UnitConnection {
  readonly #borrowed: Borrowed;
  #transaction: BorrowedTransaction | undefined;
  #slot: number | undefined;
  #destroyed = false;

  constructor(borrowed: Borrowed) {
    this.#borrowed = borrowed;
  }

  get db(): Db {
    return this.#transaction?.db ?? this.#borrowed.db;
  }

  get isKnown(): boolean {
    return performance.now() < this.#borrowed.knownUntil;
  }

  async begin(statement: string): Promise<string> {
    const { serverTimeoutMs, requireStandby } = this.#borrowed;
    const first = `${limitStatements(serverTimeoutMs)}${requireStandby ? NOTE_STANDBY : ''}${statement}`;
    const transaction = this.#open(first, () => (this.#slot = this.#borrowed.marks?.takeSlot()));
    void transaction.ended.catch(() => undefined).then(() => this.#giveSlot());
    const row = await transaction.begun;
    return String(row['now']);
  }

  async commit(): Promise<void> {
    const { marks } = this.#borrowed;
    const transaction = this.#begun();
    if (marks === undefined || this.#slot === undefined) return transaction.commit();
    const slot = this.#slot;
    const [row] = await transaction.simple(marks.noteStatement(slot)).catch((error: unknown) => {
      throw isInFailedTransaction(error) ? failedUnit() : toStoreError(error);
    });
    await transaction.commit();
    const noted = row?.['noted'] ?? null;
    if (noted !== null) marks.noted(slot, Number(noted));
  }

  async rollback(): Promise<void> {
    await this.#transaction?.rollback();
  }

  committing(): OpenCommit | undefined {
    return this.#slot === undefined ? undefined : this.#borrowed.marks?.committing(this.#slot);
  }

  async wasCommitted({ slot, count }: OpenCommit): Promise<boolean> {
    const { marks, serverTimeoutMs } = this.#borrowed;
    if (marks === undefined) return false;
    const asking = this.#open(`${limitStatements(serverTimeoutMs)}${marks.settleStatements(slot)}`, () => undefined);
    const row = await asking.begun;
    await asking.commit();
    return Number(row['count']) >= count;
  }

  async becomeKnown(): Promise<void> {
    const { marks, client } = this.#borrowed;
    if (marks === undefined) return;
    const found = await marks.look(async () => lookIn(await simple(client, marks.lookStatement())));
    if (found === 'lagging') throw lagging();
    this.#borrowed.knownUntil = performance.now() + KNOWN_MS;
  }

  destroy(): void {
    this.#destroyed = true;
    this.#transaction?.abandon();
  }

  #open(first: string, onBegin: () => void): BorrowedTransaction {
    const transaction = new BorrowedTransaction(this.#borrowed.client, this.#borrowed.names, first, onBegin);
    this.#transaction = transaction;
    // Given up before it began.
    if (this.#destroyed) transaction.abandon();
    return transaction;
  }

  #begun(): BorrowedTransaction {
    if (this.#transaction === undefined) throw new KmsError('INTERNAL_ERROR', 'No transaction has begun.');
    return this.#transaction;
  }

  #giveSlot(): void {
    if (this.#slot !== undefined) this.#borrowed.marks?.giveSlot(this.#slot);
  }
}

function lookIn(rows: readonly Row[]): DatabaseLook {
  return {
    recovering: rows.some((row) => row['recovering'] === true),
    counted: rows.flatMap(({ holder, slot, count }) =>
      typeof holder === 'string' ? [{ holder, slot: Number(slot), count: Number(count) }] : [],
    ),
  };
}

function failedUnit(): KmsError {
  return new KmsError('INTERNAL_ERROR', 'A failed unit of work cannot be committed.');
}
