import * as vitest from 'vitest';
import { expect, it } from 'vitest';
import { declareContract } from '../src/testing/contract.ts';
import { InMemoryEvidence } from '../src/testing/in-memory-evidence.ts';
import { inMemoryStore } from '../src/testing/in-memory-store.ts';
import { changeFeedContract } from '../src/testing/change-feed-contract.ts';
import { evidenceStoreContract } from '../src/testing/evidence-store-contract.ts';
import { MapCache } from '../src/testing/map-cache.ts';
import { memoryCacheContract } from '../src/testing/memory-cache-contract.ts';
import { storeContract } from '../src/testing/store-contract.ts';
import { SYSTEM } from '../src/testing/store-samples.ts';

declareContract(
  storeContract('in-memory store', async () => ({ store: inMemoryStore(), close: async () => undefined })),
  vitest,
);

declareContract(
  changeFeedContract('the feed of the in-memory store', async () => {
    const store = inMemoryStore();
    return { store, changes: store.changes, close: async () => undefined };
  }),
  vitest,
);

declareContract(
  evidenceStoreContract('the evidence of the in-memory store', async () => {
    const store = inMemoryStore();
    return { store, evidence: new InMemoryEvidence(store, () => Date.now()), close: async () => undefined };
  }),
  vitest,
);

declareContract(
  memoryCacheContract('the memory cache of tests', (maxEntries, maxBytes) => new MapCache(maxEntries, maxBytes)),
  vitest,
);

it('takes the time of its units from the given clock', async () => {
  const store = inMemoryStore({ now: () => new Date('2026-01-01T00:00:00.250Z') });
  const now = await store.transact(SYSTEM, async (unit) => unit.now);
  expect(now).toEqual(new Date('2026-01-01T00:00:00.250Z'));
});
