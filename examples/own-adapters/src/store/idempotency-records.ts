import { KmsError } from '@qnsp/kms-core';
import { type IdempotencyRecord, type IdempotencyRecords, type Room, tooManyAnswers } from '@qnsp/kms-core/ports';
import type { Unit } from './unit.ts';

/** An answer that is `null` was claimed in a unit that did not complete it: the key is free. */
export class SqliteIdempotency implements IdempotencyRecords {
  readonly #unit: Unit;

  constructor(unit: Unit) {
    this.#unit = unit;
  }

  async claim(key: string, fingerprint: Uint8Array, { atMost }: Room = {}): Promise<IdempotencyRecord | undefined> {
    const { database, owner, now } = this.#unit;
    this.#unit.requireActive(owner);
    const row = database.row(
      'select * from answers where tenant_id = ? and name = ? and expires_at > ?',
      owner,
      key,
      now.getTime(),
    );
    if (row?.['answer'] instanceof Uint8Array && row['fingerprint'] instanceof Uint8Array) {
      const expiresAt = new Date(Number(row['expires_at']));
      return { key, fingerprint: row['fingerprint'], answer: row['answer'], expiresAt };
    }
    if (atMost !== undefined && this.#unit.only !== null) this.#requireRoom(atMost);
    database.run(
      `insert into answers values (?, ?, ?, null, null)
        on conflict do update set fingerprint = excluded.fingerprint, answer = null, expires_at = null`,
      owner,
      key,
      fingerprint,
    );
    return undefined;
  }

  async complete(key: string, answer: Uint8Array, ttlSeconds: number): Promise<void> {
    const { database, owner, now } = this.#unit;
    const completed = database.run(
      'update answers set answer = ?, expires_at = ? where tenant_id = ? and name = ? and answer is null',
      answer,
      now.getTime() + ttlSeconds * 1000,
      owner,
      key,
    );
    if (completed === 0) throw new KmsError('INTERNAL_ERROR', 'The idempotency key was not claimed.');
  }

  /** Nobody keeps another one in between: units run one after another. */
  #requireRoom(atMost: number): void {
    const { database, owner, now } = this.#unit;
    const kept = 'from answers where tenant_id = ? and expires_at > ?';
    const used = Number(database.row(`select count(*) as used ${kept}`, owner, now.getTime())?.['used']);
    if (used < atMost) return;
    const next = `select expires_at ${kept} order by expires_at limit 1 offset ?`;
    const room = Number(database.row(next, owner, now.getTime(), used - atMost)?.['expires_at'] ?? now.getTime());
    const error = tooManyAnswers(atMost, used, Math.max(1, Math.ceil((room - now.getTime()) / 1000)));
    database.fail(error);
    throw error;
  }
}
