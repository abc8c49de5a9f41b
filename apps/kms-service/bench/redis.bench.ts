import { startPostgres, startRedis } from '@qnsp/test-harness';
import type { Bench } from './bench.ts';
import { measureRedis } from './in-process/measure-redis.ts';

const bench: Bench = {
  name: 'redis',
  summary: 'What it takes to load a key that is not in memory from Redis, against the same from PostgreSQL.',
  async run(say) {
    const [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
    try {
      const servers = { postgresUrl: postgres.url, redisUrl: redis.url };
      return await measureRedis(servers, say, { keys: 1000, slices: 15, calls: 200 });
    } finally {
      await redis.stop();
      await postgres.stop();
    }
  },
};

export default bench;
