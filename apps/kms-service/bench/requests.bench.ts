import { startPostgres } from '@qnsp/test-harness';
import type { Bench } from './bench.ts';
import { measureRequests } from './load/measure-requests.ts';

const bench: Bench = {
  name: 'requests',
  summary: 'What the whole way of a request costs, against a bare `node:http` server that does the same cryptography.',
  async run(say) {
    const postgres = await startPostgres();
    try {
      return await measureRequests(postgres.url, say, { slices: 5, requests: 1500, warmUp: 15_000 });
    } finally {
      await postgres.stop();
    }
  },
};

export default bench;
