import type { StoreScope } from '@qnsp/kms-core/ports';
import postgres, { type Sql, type TransactionSql } from 'postgres';
import { namesIn } from '../src/driver/names.ts';
import { scopeStatement } from '../src/driver/scope.ts';

/** A connection that goes around the store. */
export function rawSql(url: string): Sql {
  return postgres(url, { max: 1, onnotice: () => undefined });
}

/** Runs statements under the role and settings of a scope, with none of the conditions that the store adds. */
export function underScope<T>(sql: Sql, scope: StoreScope, work: (tx: TransactionSql) => Promise<T>): Promise<T> {
  const run = sql.begin(async (tx) => {
    await tx.unsafe(scopeStatement(namesIn(), scope));
    return work(tx);
  });
  // postgres.js would wait for an array of promises; the work answers none.
  return run as Promise<T>;
}
