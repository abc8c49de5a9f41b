import { startPostgres } from '@qnsp/test-harness';
import type { Bench } from './bench.ts';
import { measureCredentials } from './load/measure-credentials.ts';

const bench: Bench = {
  name: 'credentials',
  summary: 'What a call with a JSON Web Token costs, against one with an API token.',
  async run(say) {
    const postgres = await startPostgres();
    try {
      return await measureCredentials(postgres.url, say, { slices: 11, requests: 3000, warmUp: 25_000 });
    } finally {
      await postgres.stop();
    }
  },
};

export default bench;
