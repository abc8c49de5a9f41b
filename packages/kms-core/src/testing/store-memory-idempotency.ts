import { KmsError } from '../errors/kms-error.ts';
import type { IdempotencyRecord, IdempotencyRecords } from '../ports/store.ts';
import { copyOf, type MemoryUnit, ownerOf, requireActiveTenant } from './store-memory-tables.ts';

export class MemoryIdempotency implements IdempotencyRecords {
  readonly #unit: MemoryUnit;

  constructor(unit: MemoryUnit) {
    this.#unit = unit;
  }

  async claim(key: string, fingerprint: Uint8Array): Promise<IdempotencyRecord | undefined> {
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
}
