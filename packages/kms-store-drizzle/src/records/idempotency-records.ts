import { type IdempotencyRecord, type IdempotencyRecords, KmsError } from '@qnsp/kms-core';
import { and, eq, isNull, lte, or, sql } from 'drizzle-orm';
import { idempotencyKeys } from '../schema/idempotency-keys.ts';
import { ownerOf } from '../scope.ts';
import type { Session } from '../session.ts';

/** How many expired answers each completed call clears away: more than it adds, so that none gather. */
const CLEARED = 3;

export class DrizzleIdempotency implements IdempotencyRecords {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  async claim(key: string, fingerprint: Uint8Array): Promise<IdempotencyRecord | undefined> {
    const tenantId = ownerOf(this.#session.scope);
    const free = or(isNull(idempotencyKeys.answer), lte(idempotencyKeys.expiresAt, this.#session.now));
    // Waits while another unit holds the key; afterwards the row is what that unit left.
    const claimed = await this.#session.run((db) =>
      db
        .insert(idempotencyKeys)
        .values({ tenantId, key, fingerprint, answer: null, expiresAt: null })
        .onConflictDoUpdate({
          target: [idempotencyKeys.tenantId, idempotencyKeys.key],
          set: { fingerprint, answer: null, expiresAt: null },
          ...(free === undefined ? {} : { setWhere: free }),
        })
        .returning({ key: idempotencyKeys.key })
        .prepare('claim_idempotency_key')
        .execute(),
    );
    if (claimed.length > 0) return undefined;
    const [earlier] = await this.#session.run((db) =>
      db
        .select({ fingerprint: idempotencyKeys.fingerprint, answer: idempotencyKeys.answer })
        .from(idempotencyKeys)
        .where(this.#is(key))
        .prepare('read_idempotency_key')
        .execute(),
    );
    if (earlier === undefined || earlier.answer === null)
      throw new KmsError('CONFLICT', 'The idempotency key changed at the same moment. Try again.');
    return { key, fingerprint: earlier.fingerprint, answer: earlier.answer };
  }

  async complete(key: string, answer: Uint8Array, ttlSeconds: number): Promise<void> {
    const expiresAt = new Date(this.#session.now.getTime() + ttlSeconds * 1000);
    const completed = await this.#session.run((db) =>
      db
        .update(idempotencyKeys)
        .set({ answer, expiresAt })
        .where(and(this.#is(key), isNull(idempotencyKeys.answer)))
        .returning({ key: idempotencyKeys.key })
        .prepare('complete_idempotency_key')
        .execute(),
    );
    if (completed.length === 0) throw new KmsError('INTERNAL_ERROR', 'The idempotency key was not claimed.');
    await this.#clearExpired();
  }

  async #clearExpired(): Promise<void> {
    const { scope, now } = this.#session;
    const mine = eq(idempotencyKeys.tenantId, ownerOf(scope));
    await this.#session.run((db) => {
      const expired = db
        .select({ key: idempotencyKeys.key })
        .from(idempotencyKeys)
        .where(and(mine, lte(idempotencyKeys.expiresAt, now)))
        .limit(CLEARED)
        .for('update', { skipLocked: true });
      return db
        .delete(idempotencyKeys)
        .where(and(mine, sql`${idempotencyKeys.key} = any(array(${expired}))`))
        .prepare('clear_idempotency_keys')
        .execute();
    });
  }

  #is(key: string) {
    return and(eq(idempotencyKeys.tenantId, ownerOf(this.#session.scope)), eq(idempotencyKeys.key, key));
  }
}
