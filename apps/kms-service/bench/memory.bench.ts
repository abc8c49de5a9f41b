import { startPostgres } from '@qnsp/test-harness';
import type { Bench } from './bench.ts';
import { measureMemory } from './process/measure-memory.ts';

const bench: Bench = {
  name: 'memory',
  summary: 'How much memory the service takes: idle, with many keys in memory, and after many requests.',
  async run(say) {
    const postgres = await startPostgres();
    try {
      return await measureMemory(postgres.url, say, { idleSeconds: 10, keys: 10_000, requests: 1_000_000 });
    } finally {
      await postgres.stop();
    }
  },
};

export default bench;
