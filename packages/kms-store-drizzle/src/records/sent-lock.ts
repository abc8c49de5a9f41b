import type { KeyId } from '@qnsp/kms-core';
import type { FirstLock, StoreScope } from '@qnsp/kms-core/ports';
import type { Db } from '../driver/driver.ts';
import { scopeValues } from '../driver/scope.ts';
import { getKey, lockKey } from './key-statements.ts';

type AnswerOf<Statement extends (db: Db, scope: StoreScope) => { readonly execute: unknown }> =
  ReturnType<Statement>['execute'] extends (...values: never[]) => infer Answer ? Answer : never;

/** What a unit of work asks first, sent before it has begun: the lock of a key, and the key unless it was seen. */
export interface SentLock {
  readonly keyId: KeyId;
  readonly locked: AnswerOf<typeof lockKey>;
  readonly read: AnswerOf<typeof getKey> | undefined;
}

/**
 * Sends it. If the unit cannot begin nobody waits for the answers: outside of a transaction the statements read, and lock for as long as
 * they run.
 */
export function sendLock(db: Db, scope: StoreScope, { keyId, seen }: FirstLock): SentLock {
  const values = { keyId, ...scopeValues(scope) };
  const locked = lockKey(db, scope).execute(values);
  const read = seen === undefined ? getKey(db, scope).execute(values) : undefined;
  // A failure is heard of where the answer is waited for.
  for (const answer of [locked, read]) answer?.catch(() => undefined);
  return { keyId, locked, read };
}
