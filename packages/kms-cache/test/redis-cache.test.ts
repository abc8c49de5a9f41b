import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '@keyv/redis';
import { openRedisCache, type RedisCache } from '@qnsp/kms-cache';
import { declareContract, sharedCacheContract, someBytes } from '@qnsp/kms-core/testing';
import { lostTime, type RedisServer, startRedis, startTcpProxy, type TcpProxy } from '@qnsp/test-harness';
import * as vitest from 'vitest';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

/** What a request may lose to Redis, by the service's promise, and how much later than a timer it may notice that this is over. */
const PROMISE_MS = 5;
const WAKE_UP_MS = 20;
const KEY = 'qnsp-kms::name';

function urlOfTestServer(): string {
  const url = process.env['TEST_REDIS_URL'];
  if (url === undefined) throw new Error('TEST_REDIS_URL names no server; run the tests by npm test');
  return url;
}

/** A cache that answers; what it says of itself is in `changes`. */
async function openCache(url: string, ttlSeconds = 60): Promise<{ cache: RedisCache; changes: string[] }> {
  const changes: string[] = [];
  const cache = openRedisCache({ url, ttlSeconds, onChange: (state) => changes.push(state) });
  return { cache, changes };
}

async function answering(cache: RedisCache): Promise<void> {
  while ((await cache.get('probe')) === undefined) {
    cache.put('probe', Buffer.of(1));
    await sleep(20);
  }
}

/** Speaks to a Redis as its administrator. */
async function asAdmin<T>(url: string, work: (client: ReturnType<typeof clientOf>) => Promise<T>): Promise<T> {
  const client = clientOf(url);
  await client.connect();
  try {
    return await work(client);
  } finally {
    client.destroy();
  }
}

const clientOf = (url: string) => createClient({ url });

declareContract(
  sharedCacheContract('the cache in Redis', async (ttlSeconds) => {
    const { cache } = await openCache(urlOfTestServer(), ttlSeconds);
    await answering(cache);
    return { cache, close: () => cache.close() };
  }),
  vitest,
);

describe('a Redis', () => {
  let redis: RedisServer;
  let proxy: TcpProxy;
  let cache: RedisCache;
  let changes: string[];

  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(async () => {
    await redis.stop();
  });
  beforeEach(async () => {
    proxy = await startTcpProxy(redis.port);
    ({ cache, changes } = await openCache(`redis://127.0.0.1:${proxy.port}`));
    await answering(cache);
    changes.length = 0;
  });
  afterEach(async () => {
    await cache.close();
    await proxy.stop();
  });

  /**
   * Some reads, one after another: how many were answered, how many took as long as is promised, and by how much at most they
   * exceeded that, without the time that the machine kept. A timer says when that is, which a busy machine delays as it delays the reads.
   */
  async function read(
    times: number,
    from = cache,
  ): Promise<{ readonly found: number; readonly waits: number; readonly longestExcessMs: number }> {
    const lost = lostTime();
    let [found, waits, longestExcessMs] = [0, 0, 0];
    for (let time = 0; time < times; time += 1) {
      let over: { readonly at: number; readonly lostMs: number } | undefined;
      const promised = setTimeout(() => {
        over = { at: performance.now(), lostMs: lost() };
      }, PROMISE_MS);
      if ((await from.get('probe')) !== undefined) found += 1;
      clearTimeout(promised);
      if (over === undefined) continue;
      waits += 1;
      longestExcessMs = Math.max(longestExcessMs, performance.now() - over.at - (lost() - over.lostMs));
    }
    return { found, waits, longestExcessMs };
  }

  it('that is slow costs a few milliseconds three times, then nothing', async () => {
    proxy.delay(300);
    const { found, waits, longestExcessMs } = await read(200);
    expect(found).toBe(0);
    expect(longestExcessMs).toBeLessThan(WAKE_UP_MS);
    // Without the breaker these would be 200.
    expect(waits).toBeLessThan(10);
    expect(changes).toEqual(['open']);
    proxy.resume();
    await answering(cache);
    expect(changes).toEqual(['open', 'closed']);
  });

  it('that hangs costs no more, and is used again when it goes on', async () => {
    redis.sigstop();
    const { longestExcessMs, found } = await read(50);
    redis.sigcont();
    expect(found).toBe(0);
    expect(longestExcessMs).toBeLessThan(WAKE_UP_MS);
    await answering(cache);
  });

  it('that is killed costs no more, and is used again when it is back, empty', async () => {
    await redis.kill9();
    const { longestExcessMs, found } = await read(50);
    expect(found).toBe(0);
    expect(longestExcessMs).toBeLessThan(WAKE_UP_MS);
    await redis.restart();
    await answering(cache);
  });

  it('that is partitioned away without a word is given up, and used again when the way is free', async () => {
    proxy.stall();
    const { longestExcessMs, found } = await read(50);
    expect(found).toBe(0);
    expect(longestExcessMs).toBeLessThan(WAKE_UP_MS);
    expect(cache.isOpen).toBe(true);
    expect(cache.failures).toBeGreaterThanOrEqual(3);
    proxy.resume();
    await answering(cache);
    expect(cache.isOpen).toBe(false);
  });

  it('that is back is found to be back, although nobody asks for anything', async () => {
    proxy.stall();
    await read(5);
    expect(changes).toEqual(['open']);
    proxy.resume();
    await expect.poll(() => [cache.isOpen, changes], { timeout: 15_000 }).toEqual([false, ['open', 'closed']]);
  });

  it('that answers in time is not held to be slow when this process is', async () => {
    // Without the proxy, which is a part of this process.
    const direct = await openCache(redis.url);
    await answering(direct.cache);
    let measured = 0;
    for (let attempt = 0; measured < 5 && attempt < 100; attempt += 1) {
      const before = direct.cache.failures;
      const askedAt = performance.now();
      const asked = direct.cache.get('probe');
      // The request leaves; the answer is there long before the process looks for it, also when the machine is busy.
      await new Promise(setImmediate);
      await new Promise(setImmediate);
      const blockedAt = performance.now();
      while (performance.now() - blockedAt < 400);
      const answer = await asked;
      if (blockedAt - askedAt > PROMISE_MS / 2) {
        // The machine did something else before the request left, so that the answer may really have come late.
        await answering(direct.cache);
        continue;
      }
      measured += 1;
      expect(answer).toBeDefined();
      expect(direct.cache.failures).toBe(before);
    }
    expect(measured).toBe(5);
    await direct.cache.close();
  });

  it('that was flushed holds nothing', async () => {
    await asAdmin(redis.url, async (client) => {
      await client.flushAll();
    });
    await expect(cache.get('probe')).resolves.toBeUndefined();
  });

  it('with a value of another type, or none that is base64, harms nobody', async () => {
    await asAdmin(redis.url, async (client) => {
      await client.lPush(KEY, 'a list');
      await expect(cache.get('name')).resolves.toBeUndefined();
      await client.del(KEY);
      await client.set(KEY, '\u0000 { not base64 }');
      // A busy machine may take longer than anybody waits for an answer.
      await expect.poll(() => cache.get('name'), { timeout: 10_000 }).toBeInstanceOf(Uint8Array);
    });
  });

  it('is asked for nothing but GET and SET, and each SET expires', async () => {
    await asAdmin(redis.url, async (client) => {
      await client.configResetStat();
      const putAndGet = () => {
        cache.put('name', someBytes(10));
        return cache.get('name');
      };
      await expect.poll(putAndGet, { timeout: 10_000 }).toBeDefined();
      const used = [...(await client.info('commandstats')).matchAll(/cmdstat_([\w|]+):/g)].map(([, name]) => name);
      expect(used.filter((name) => name !== 'config|resetstat' && name !== 'info' && name !== 'ping').sort()).toEqual([
        'get',
        'set',
      ]);
      expect(await client.pTTL(KEY)).toBeGreaterThan(0);
    });
  });

  it('takes a user of its access list, with no right but GET and SET on its own names', async () => {
    await asAdmin(redis.url, async (client) => {
      await client.sendCommand([
        'ACL',
        'SETUSER',
        'kms',
        'on',
        '>s3cr:t/@',
        'resetkeys',
        '~qnsp-kms::*',
        '-@all',
        '+get',
        '+set',
        '+ping',
        '+client',
        '+hello',
      ]);
    });
    const secret = encodeURIComponent('s3cr:t/@');
    const limited = await openCache(`redis://kms:${secret}@127.0.0.1:${redis.port}/0`);
    await answering(limited.cache);
    await limited.cache.close();
  });

  it('that refuses the password is as if it were not there, and makes nobody wait', async () => {
    const refused = await openCache(`redis://kms:wrong@127.0.0.1:${redis.port}`);
    const { found, waits, longestExcessMs } = await read(20, refused.cache);
    expect(found).toBe(0);
    expect(longestExcessMs).toBeLessThan(WAKE_UP_MS);
    expect(waits).toBeLessThan(10);
    await expect.poll(() => refused.changes).toEqual(['open']);
    await refused.cache.close();
  });

  it('that refuses the password is said to, also when the cache is closed while it signs in', async () => {
    const refused = await openCache(`redis://kms:wrong@127.0.0.1:${proxy.port}`);
    const wrongPassword = { message: expect.stringMatching(/WRONGPASS/) };
    await expect.poll(() => refused.cache.connectionFailure, { timeout: 10_000 }).toMatchObject(wrongPassword);
    proxy.stallAnswers();
    await asAdmin(redis.url, async (client) => {
      const clients = () => client.sendCommand(['CLIENT', 'LIST']);
      // One has waited for a second for the answer to what it sent first; those that had one are gone.
      await expect.poll(clients, { timeout: 10_000 }).toMatch(/ age=[1-4] .* cmd=(?!get|set|ping|client\|list)/);
    });
    await refused.cache.close();
    expect(refused.cache.connectionFailure).toMatchObject(wrongPassword);
  });

  it('that is not there yet is used when it comes', async () => {
    await redis.kill9();
    const early = await openCache(redis.url);
    await expect(early.cache.get('probe')).resolves.toBeUndefined();
    await sleep(300);
    await redis.restart();
    await answering(early.cache);
    await early.cache.close();
  });
});
