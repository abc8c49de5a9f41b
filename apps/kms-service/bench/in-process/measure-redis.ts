import { setTimeout as sleep } from 'node:timers/promises';
import { openRedisCache } from '@qnsp/kms-cache';
import { KeyRing, SharedRecords } from '@qnsp/kms-core/internal';
import type { LoadedKey, MemoryCache } from '@qnsp/kms-core/ports';
import { createDatabase } from '@qnsp/test-harness';
import type { BenchResult } from '../bench.ts';
import { loadKeys } from '../scale/load-keys.ts';
import type { SliceOptions } from '../slices.ts';
import { allHold, verdict } from '../verdict.ts';
import { compareHits } from './compare-hits.ts';
import { openKms } from './open-kms.ts';
import { useColdKey } from './use-cold-key.ts';

const LIMIT_MS = 60_000;
const POLL_MS = 20;

/** Holds nothing, so that every use of a key goes on to the second level. */
const FORGETFUL: MemoryCache<LoadedKey> = {
  get: () => undefined,
  set: () => undefined,
  delete: () => undefined,
  clear: () => undefined,
  entries: () => [],
  size: 0,
  bytes: 0,
};

/** Measures the load of a key that is not in memory: from Redis, against from PostgreSQL. */
export async function measureRedis(
  servers: { readonly postgresUrl: string; readonly redisUrl: string },
  say: (progress: string) => void,
  options: SliceOptions & { readonly keys: number },
): Promise<BenchResult> {
  const database = await createDatabase(servers.postgresUrl);
  const opened = await openKms(database.url);
  const redis = openRedisCache({ url: servers.redisUrl, ttlSeconds: 3600, onChange: () => undefined });
  try {
    const { kms, changes, tenantId, chain } = opened;
    const rejected: unknown[] = [];
    const shared = new SharedRecords(redis, changes, (_keyId, cause) => void rejected.push(cause));
    const ring = new KeyRing(kms.store, kms.hierarchy, { feed: changes, memory: FORGETFUL, shared });
    const keyIds = await loadKeys(database.url, { tenantId, chain }, options.keys);
    for (const keyId of keyIds) await putIn(shared, () => useColdKey(ring, tenantId, keyId));
    say(`${keyIds.length} keys are in Redis`);
    const keyOf = (index: number) => keyIds[index % keyIds.length] ?? '';
    const { base, other, ratio, share } = await compareHits(
      (index) => useColdKey(kms.keyRing, tenantId, keyOf(index)),
      (index) => useColdKey(ring, tenantId, keyOf(index)),
      () => shared.counts.hits,
      options,
    );
    if (rejected.length > 0) throw new Error('Redis holds what no node put there', { cause: rejected[0] });
    say(`from Redis: ${ratio.toFixed(2)} × from PostgreSQL`);
    const row = ['load and unseal', milliseconds(base), milliseconds(other), ratio.toFixed(2), '< 1.00'];
    const rows = [[...row, verdict(ratio < 1)]];
    return {
      columns: ['one key', 'from PostgreSQL', 'from Redis', 'Redis ÷ PostgreSQL', 'target', 'holds'],
      rows,
      holds: allHold(rows),
      conditions: [
        `in one process, one call after the other, over ${options.keys} AES keys in turn; medians of ${options.slices} slices of ` +
          `${options.calls} calls, in turns, of each the median; the ratio is the median of the ratios of neighbouring slices`,
        'PostgreSQL and Redis on the machine of the process, so both are as near as they can be; [the architecture](architecture.md) ' +
          'says when Redis is not worth having',
        `Redis answered ${(100 * share).toFixed(1)} % of the loads that asked it, in time and with what could be trusted; the others went on to PostgreSQL and do not count`,
      ],
    };
  } finally {
    await redis.close();
    await opened.close();
    await database.drop();
  }
}

/**
 * Uses a key until Redis is what answers: the first use puts it there, without waiting, and only when the connection for
 * notices of changes is up.
 */
async function putIn(shared: SharedRecords, use: () => Promise<void>): Promise<void> {
  const deadline = performance.now() + LIMIT_MS;
  const { hits } = shared.counts;
  while (shared.counts.hits === hits) {
    if (performance.now() > deadline) throw new Error('Redis does not keep what is put there');
    await use();
    await sleep(shared.mark() === undefined ? POLL_MS : 0);
  }
}

function milliseconds(value: number): string {
  return `${value.toFixed(3)} ms`;
}
