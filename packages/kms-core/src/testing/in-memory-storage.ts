import { Storage, type StorageParts } from '../ports/storage.ts';
import { InMemoryEvidence } from './in-memory-evidence.ts';
import { type InMemoryStore, type InMemoryStoreOptions, inMemoryStore } from './in-memory-store.ts';

/** A storage in memory, with the store as tests look into it. */
export type InMemoryStorage = Storage<StorageParts & { readonly store: InMemoryStore }>;

/**
 * A storage for tests, in the memory of this process. Nothing of it is kept.
 *
 * @example
 * import { randomBytes } from 'node:crypto';
 * import { openKms, softwareRoot } from '@qnsp/kms-core';
 * import { inMemoryStorage } from '@qnsp/kms-core/testing';
 * const roots = softwareRoot('test', randomBytes(32));
 * await using kms = await openKms({ storage: inMemoryStorage(), roots, alert: () => {} });
 * console.log(await kms.ensureTenant('shop') === await kms.ensureTenant('shop')); // true
 */
export function inMemoryStorage(options: InMemoryStoreOptions = {}): InMemoryStorage {
  const store = inMemoryStore(options);
  const now = options.now ?? (() => new Date());
  const clock = { now: () => now().getTime(), measuredSkewMs: 0, machineAheadMs: () => Date.now() - now().getTime() };
  return new Storage({
    store,
    changes: store.changes,
    evidence: new InMemoryEvidence(store, clock.now),
    clock,
    close: async () => undefined,
  });
}
