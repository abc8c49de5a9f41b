import { startPostgres } from '@qnsp/test-harness';
import type { Bench } from './bench.ts';
import { embedded, measureStart, onPostgres } from './process/measure-start.ts';

const bench: Bench = {
  name: 'start',
  summary: 'How long the service takes from the start of its process until it is ready.',
  async run(say) {
    const postgres = await startPostgres();
    try {
      return await measureStart([await onPostgres(postgres.url), await embedded()], say, { starts: 5 });
    } finally {
      await postgres.stop();
    }
  },
};

export default bench;
