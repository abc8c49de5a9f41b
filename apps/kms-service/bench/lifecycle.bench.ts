import { startPostgres } from '@qnsp/test-harness';
import type { Bench } from './bench.ts';
import { measureLifecycle } from './in-process/measure-lifecycle.ts';

const bench: Bench = {
  name: 'lifecycle',
  summary: 'How many keys are created and rotated in a second, against bare transactions that write the same rows.',
  async run(say) {
    const postgres = await startPostgres();
    try {
      return await measureLifecycle(postgres.url, say, { slices: 7, calls: 200 });
    } finally {
      await postgres.stop();
    }
  },
};

export default bench;
