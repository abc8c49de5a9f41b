import type { Delivery, TenantId } from '@qnsp/kms-core';

/** What passes by itself has passed after so many attempts. */
const ATTEMPTS = 5;
const REMINDER_MS = 60 * 60 * 1000;

interface Told {
  readonly batchId: string;
  readonly at: number;
}

/** Remembers which batches somebody was told of that are refused without being named, so that it is not said at each attempt. */
export class StuckBatches {
  readonly #told = new Map<TenantId, Told>();
  readonly #monotonic: () => number;

  constructor(monotonic: () => number = () => performance.now()) {
    this.#monotonic = monotonic;
  }

  /** Whether somebody has to be told now, after an attempt that ended like that: of each batch once, and again after an hour. */
  isDue({ checkpoint, attempts }: Delivery): boolean {
    const { tenantId, checkpointId: batchId } = checkpoint;
    const told = this.#told.get(tenantId);
    const now = this.#monotonic();
    if (attempts + 1 < ATTEMPTS || (told?.batchId === batchId && now - told.at < REMINDER_MS)) return false;
    this.#told.set(tenantId, { batchId, at: now });
    return true;
  }

  /** The batch that was next for a tenant is so no more. */
  passed(tenantId: TenantId): void {
    this.#told.delete(tenantId);
  }
}
