import { startPostgres } from '@qnsp/test-harness';
import type { Bench } from './bench.ts';
import { measureCold } from './in-process/measure-cold.ts';

const bench: Bench = {
  name: 'cold',
  summary: 'What it takes to load a key that is neither in memory nor in Redis, against a bare select and unsealing.',
  async run(say) {
    const postgres = await startPostgres();
    try {
      return await measureCold(postgres.url, say, { keys: 10_000, slices: 15, calls: 200 });
    } finally {
      await postgres.stop();
    }
  },
};

export default bench;
