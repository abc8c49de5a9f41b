import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Fleet, startFleet } from './fleet.ts';
import { percentile } from './report.ts';

/** What a request may lose to Redis. */
const PROMISE_MS = 5;
const REQUESTS = 200;
const KEYS = 60;
/** Memory for so few keys that each request finds its key cold. */
const SETTINGS = { KMS_CACHE_MAX_KEYS: '10', DATABASE_TIMEOUT_MS: '5000' };

let [withRedis, without]: Fleet[] = [];
const paths = new Map<Fleet, readonly string[]>();

beforeAll(async () => {
  [withRedis, without] = [await startFleet(1, SETTINGS), await startFleet(1, { ...SETTINGS, KMS_CACHE_REDIS_URL: '' })];
  for (const fleet of [withRedis, without]) {
    const made: string[] = [];
    for (let index = 0; index < KEYS; index += 1) made.push(await fleet.createKey());
    paths.set(fleet, made);
  }
}, 180_000);
afterAll(async () => {
  await withRedis?.end();
  await without?.end();
});

/** How long a request for a cold key takes, in milliseconds. */
async function coldRequest(fleet: Fleet, turn: number): Promise<number> {
  const asked = performance.now();
  const { status } = await fleet.call(0, 'POST', `${paths.get(fleet)?.[turn % KEYS]}/encrypt`, { plaintext: 'AAAA' });
  expect(status).toBe(200);
  return performance.now() - asked;
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

test.each<[string, (fleet: Fleet) => unknown, (fleet: Fleet) => unknown]>([
  ['healthy', () => undefined, () => undefined],
  ['slow', ({ nodes }) => nodes[0]?.redis.delay(300), ({ nodes }) => nodes[0]?.redis.resume()],
  ['hung', ({ redis }) => redis.sigstop(), ({ redis }) => redis.sigcont()],
  ['absent', ({ redis }) => redis.kill9(), ({ redis }) => redis.restart()],
])(
  'a Redis that is %s costs a request for a cold key no more than 5 ms',
  { timeout: 120_000 },
  async (state, begin, end) => {
    if (withRedis === undefined || without === undefined) throw new Error('the nodes are not there');
    const times: { readonly with: number[]; readonly without: number[] } = { with: [], without: [] };
    await begin(withRedis);
    try {
      // In turns, so that whatever else the machine does meets both.
      for (let turn = 0; turn < REQUESTS; turn += 1) {
        times.with.push(await coldRequest(withRedis, turn));
        times.without.push(await coldRequest(without, turn));
      }
    } finally {
      await end(withRedis);
    }
    const added = {
      median: percentile(times.with, 50) - percentile(times.without, 50),
      mean: mean(times.with) - mean(times.without),
    };
    const show = (values: readonly number[]) => [50, 99].map((p) => percentile(values, p).toFixed(1)).join(' and ');
    process.stdout.write(
      `cold keys, median and p99 in ms: ${show(times.without)} without Redis, ${show(times.with)} with one that is ${state}; ` +
        `it adds ${added.median.toFixed(2)} to the median and ${added.mean.toFixed(2)} to the mean\n`,
    );
    expect(added.median).toBeLessThanOrEqual(PROMISE_MS);
    expect(added.mean).toBeLessThanOrEqual(PROMISE_MS);
  },
);
