import type { TenantId } from '@qnsp/kms-core';
import type { Delivery } from '@qnsp/kms-core/ports';

/** What passes on its own has passed after this many attempts. */
const ATTEMPTS = 5;
const REMINDER_MS = 60 * 60 * 1000;

interface Told {
  readonly batchId: string;
  readonly at: number;
}

/**
 * Remembers which batches that are refused without being named were already reported, so that this is not repeated at
 * each attempt.
 */
export class StuckBatches {
  readonly #told = new Map<TenantId, Told>();
  readonly #monotonic: () => number;

  constructor(monotonic: () => number = () => performance.now()) {
    this.#monotonic = monotonic;
  }

  /** Whether to report now, after an attempt that ended like that: each batch once, and again after an hour. */
  isDue({ checkpoint, attempts }: Delivery): boolean {
    const { tenantId, checkpointId: batchId } = checkpoint;
    const told = this.#told.get(tenantId);
    const now = this.#monotonic();
    if (attempts + 1 < ATTEMPTS || (told?.batchId === batchId && now - told.at < REMINDER_MS)) return false;
    this.#told.set(tenantId, { batchId, at: now });
    return true;
  }

  /** The batch that was next for a tenant no longer is. */
  passed(tenantId: TenantId): void {
    this.#told.delete(tenantId);
  }
}
