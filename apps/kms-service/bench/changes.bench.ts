import { startPostgres } from '@qnsp/test-harness';
import type { Bench } from './bench.ts';
import { measureChanges } from './load/measure-changes.ts';

const bench: Bench = {
  name: 'changes',
  summary: 'What it costs to create and to rotate a key, in the service and in PostgreSQL.',
  async run(say) {
    const postgres = await startPostgres({ settings: { shared_buffers: '256MB' } });
    try {
      return await measureChanges(postgres, say, { slices: 5, calls: 160 });
    } finally {
      await postgres.stop();
    }
  },
};

export default bench;
