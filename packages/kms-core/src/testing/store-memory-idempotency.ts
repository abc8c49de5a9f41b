import { KmsError } from '../errors/kms-error.ts';
import { tooManyAnswers } from '../errors/too-many-answers.ts';
import type { IdempotencyRecord, IdempotencyRecords, Room } from '../ports/store.ts';
import type { TenantId } from '../model/identifiers.ts';
import { copyOf, type MemoryUnit, ownerOf, requireActiveTenant } from './store-memory-tables.ts';

export class MemoryIdempotency implements IdempotencyRecords {
  readonly #unit: MemoryUnit;

  constructor(unit: MemoryUnit) {
    this.#unit = unit;
  }

  async claim(key: string, fingerprint: Uint8Array, { atMost }: Room = {}): Promise<IdempotencyRecord | undefined> {
    const tables = this.#unit.tables();
    const { answers } = tables;
    const tenantId = ownerOf(this.#unit.scope);
    requireActiveTenant(tables, tenantId);
    const name = `${tenantId}:${key}`;
    const earlier = answers.get(name);
    if (
      earlier !== undefined &&
      earlier.answer !== null &&
      earlier.expiresAt !== null &&
      earlier.expiresAt > this.#unit.now
    ) {
      return copyOf({ key, fingerprint: earlier.fingerprint, answer: earlier.answer, expiresAt: earlier.expiresAt });
    }
    if (atMost !== undefined && this.#unit.scope.kind === 'tenant') this.#requireRoom(tenantId, atMost);
    answers.set(name, copyOf({ tenantId, key, fingerprint, answer: null, expiresAt: null }));
    return undefined;
  }

  async complete(key: string, answer: Uint8Array, ttlSeconds: number): Promise<void> {
    const { answers } = this.#unit.tables();
    const name = `${ownerOf(this.#unit.scope)}:${key}`;
    const claimed = answers.get(name);
    if (claimed === undefined || claimed.answer !== null) {
      throw new KmsError('INTERNAL_ERROR', 'The idempotency key was not claimed.');
    }
    const expiresAt = new Date(this.#unit.now.getTime() + ttlSeconds * 1000);
    answers.set(name, copyOf({ ...claimed, answer, expiresAt }));
  }

  #requireRoom(tenantId: TenantId, atMost: number): void {
    const now = this.#unit.now.getTime();
    const expiries = [...this.#unit.tables().answers.values()]
      .flatMap((answer) =>
        answer.tenantId === tenantId && answer.expiresAt !== null ? answer.expiresAt.getTime() : [],
      )
      .filter((expiry) => expiry > now)
      .sort((a, b) => a - b);
    if (expiries.length < atMost) return;
    const room = expiries[expiries.length - atMost] ?? now;
    const error = tooManyAnswers(atMost, expiries.length, Math.max(1, Math.ceil((room - now) / 1000)));
    this.#unit.fail(error);
    throw error;
  }
}
