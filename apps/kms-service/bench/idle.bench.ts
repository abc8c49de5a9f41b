import { startPostgres } from '@qnsp/test-harness';
import type { Bench } from './bench.ts';
import { measureIdle } from './process/measure-idle.ts';

const bench: Bench = {
  name: 'idle',
  summary: 'What a service takes that has nothing to do.',
  async run(say) {
    const postgres = await startPostgres();
    try {
      return await measureIdle(postgres.url, say, { slices: 3, seconds: 15, settledSeconds: 12 });
    } finally {
      await postgres.stop();
    }
  },
};

export default bench;
