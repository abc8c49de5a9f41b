import { KmsError } from '@qnsp/kms-core';
import type { IdempotencyRecord, IdempotencyRecords, Room } from '@qnsp/kms-core/ports';
import { and, eq, isNull, lte, or, sql } from 'drizzle-orm';
import { builtOnce } from '../driver/built-once.ts';
import { kms } from '../schema/columns.ts';
import { idempotencyKeys } from '../schema/idempotency-keys.ts';
import { ownerOf } from '../driver/scope.ts';
import type { Session } from '../driver/session.ts';

/** How many expired answers each completed call removes: more than it adds, so that they do not accumulate. */
const CLEARED = 3;

export class DrizzleIdempotency implements IdempotencyRecords {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  async claim(key: string, fingerprint: Uint8Array, { atMost }: Room = {}): Promise<IdempotencyRecord | undefined> {
    const name = this.#name(key);
    const held = this.#session.scope.kind === 'tenant' ? (atMost ?? null) : null;
    // Waits while another unit holds the key; afterwards the row is what that unit left.
    const claimed = await this.#session.run((db) =>
      claimKey(db).execute({ ...name, fingerprint, now: this.#now(), atMost: held }),
    );
    if (claimed.length > 0) return undefined;
    const [earlier] = await this.#session.run((db) => readAnswer(db).execute(name));
    if (earlier === undefined || earlier.answer === null || earlier.expiresAt === null)
      throw new KmsError('CONFLICT', 'The idempotency key changed at the same moment. Try again.');
    return { key, fingerprint: earlier.fingerprint, answer: earlier.answer, expiresAt: earlier.expiresAt };
  }

  async complete(key: string, answer: Uint8Array, ttlSeconds: number): Promise<void> {
    const expiresAt = new Date(this.#session.now.getTime() + ttlSeconds * 1000).toISOString();
    const name = this.#name(key);
    const completed = await this.#session.run((db) => completeKey(db).execute({ ...name, answer, expiresAt }));
    if (completed.length === 0) throw new KmsError('INTERNAL_ERROR', 'The idempotency key was not claimed.');
    await this.#session.run((db) => clearExpired(db).execute({ tenantId: name.tenantId, now: this.#now() }));
  }

  #name(key: string) {
    return { tenantId: ownerOf(this.#session.scope), key };
  }

  #now(): string {
    return this.#session.now.toISOString();
  }
}

const MINE = eq(idempotencyKeys.tenantId, sql.placeholder('tenantId'));
const THIS_KEY = and(MINE, eq(idempotencyKeys.key, sql.placeholder('key')));
const EXPIRED = lte(idempotencyKeys.expiresAt, sql.placeholder('now'));
const ROOM = sql`${kms}.require_room_for_answer(${idempotencyKeys.tenantId}, ${sql.placeholder('atMost')}::bigint, ${sql.placeholder('now')}::timestamptz)`;

const claimKey = builtOnce((db) => {
  const claim = { fingerprint: sql`${sql.placeholder('fingerprint')}`, answer: null, expiresAt: null };
  const free = or(isNull(idempotencyKeys.answer), EXPIRED);
  return (
    db
      .insert(idempotencyKeys)
      .values({ tenantId: sql`${sql.placeholder('tenantId')}`, key: sql`${sql.placeholder('key')}`, ...claim })
      .onConflictDoUpdate({
        target: [idempotencyKeys.tenantId, idempotencyKeys.key],
        set: claim,
        ...(free === undefined ? {} : { setWhere: free }),
      })
      // Of a key that has its answer nothing is asked: it is told again whether or not there is room for another.
      .returning({ used: ROOM })
      .prepare('claim_idempotency_key')
  );
});

const readAnswer = builtOnce((db) =>
  db
    .select({
      fingerprint: idempotencyKeys.fingerprint,
      answer: idempotencyKeys.answer,
      expiresAt: idempotencyKeys.expiresAt,
    })
    .from(idempotencyKeys)
    .where(THIS_KEY)
    .prepare('read_idempotency_key'),
);

const completeKey = builtOnce((db) =>
  db
    .update(idempotencyKeys)
    .set({ answer: sql`${sql.placeholder('answer')}`, expiresAt: sql`${sql.placeholder('expiresAt')}` })
    .where(and(THIS_KEY, isNull(idempotencyKeys.answer)))
    .returning({ key: idempotencyKeys.key })
    .prepare('complete_idempotency_key'),
);

const clearExpired = builtOnce((db) => {
  const expired = db
    .select({ key: idempotencyKeys.key })
    .from(idempotencyKeys)
    .where(and(MINE, EXPIRED))
    .limit(CLEARED)
    .for('update', { skipLocked: true });
  return db
    .delete(idempotencyKeys)
    .where(and(MINE, sql`${idempotencyKeys.key} = any(array(${expired}))`))
    .prepare('clear_idempotency_keys');
});
