import type { Contract } from '../../src/testing/index.ts';
import { inMemoryStore, storeContract } from '../../src/testing/index.ts';

/** The contract of a store, of the one in memory or, when asked for, of one whose pings fail. */
export function contractOfArguments(): Contract {
  return storeContract('in-memory store', async () => {
    const store = inMemoryStore();
    if (process.argv.includes('broken')) store.ping = async () => Promise.reject(new Error('this ping fails'));
    return { store, close: async () => undefined };
  });
}
