import { startPostgres } from '@qnsp/test-harness';
import type { Bench } from './bench.ts';
import { measureScale } from './scale/measure-scale.ts';

const bench: Bench = {
  name: 'scale',
  summary: 'What an operation costs among 1,000,000 keys of 1,000 tenants, against the same among 1,000 keys of one.',
  async run(say) {
    const server = await startPostgres({ settings: { shared_buffers: '512MB', max_wal_size: '4GB' } });
    try {
      return await measureScale(server.url, say, {
        base: { tenants: 1, keysPerTenant: 1000 },
        large: { tenants: 1000, keysPerTenant: 1000 },
        slices: 15,
        calls: 100,
      });
    } finally {
      await server.stop();
    }
  },
};

export default bench;
