import { createClient } from '@keyv/redis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Fleet, startFleet } from './fleet.ts';
import { ENDINGS } from './round.ts';

let fleet: Fleet;
let redis: ReturnType<typeof clientOf>;
const clientOf = (url: string) => createClient({ url });

/** A number of Redis about itself. */
const numberOf = async (name: string): Promise<number> =>
  Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(await redis.info())?.[1]);

beforeAll(async () => {
  fleet = await startFleet(2, { KMS_CACHE_ENABLED: 'false', DATABASE_TIMEOUT_MS: '5000' });
  redis = clientOf(fleet.redis.url);
  await redis.connect();
}, 600_000);
afterAll(async () => {
  redis.destroy();
  await fleet.end();
});

/** Two nodes with a Redis that they are told to leave alone, as `KMS_CACHE_ENABLED` says. */
describe('without the cache', () => {
  test.each(ENDINGS)('$name counts on the other node with the very next request', async (ending) => {
    const use = await ending.prepare(fleet);
    const useOnOther = () => fleet.call(1, 'POST', use.path, use.body, use.token);
    for (let time = 0; time < 3; time += 1) {
      const { status, body } = await useOnOther();
      expect([status, use.isOld?.(body) ?? true]).toEqual([200, true]);
    }
    expect([200, 204]).toContain(await use.end());
    const { status, body } = await useOnOther();
    expect(status).toBe(ending.statusAfter);
    expect(status === 200 && (use.isOld?.(body) ?? true)).toBe(false);
  });

  test('nothing is held in memory, and Redis sees nobody', async () => {
    for (const cache of ['keys', 'tokens'])
      expect(
        await fleet.metric(new RegExp(`^kms_cache_requests_total\\{cache="${cache}",result="hits"\\} (\\d+)`, 'm')),
      ).toBe(0);
    expect(await fleet.metric(/^kms_cache_keys (\d+)/m)).toBe(0);
    // This test itself.
    expect(await numberOf('connected_clients')).toBe(1);
    const before = await numberOf('total_connections_received');
    const path = await fleet.createKey();
    expect((await fleet.call(1, 'POST', `${path}/encrypt`, { plaintext: 'AAAA' })).status).toBe(200);
    expect(await numberOf('total_connections_received')).toBe(before);
  });
});
