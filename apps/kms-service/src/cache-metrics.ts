import type { CacheCounts, Kms, SharedCounts } from '@qnsp/kms-core/internal';
import { Gauge, type Registry } from 'prom-client';
import type { Caches } from './caches.ts';
import { publishCounter, type Sample } from './published-counter.ts';

/** Publishes the numbers of the caches, read when they are asked for: nothing is counted twice on the way of a request. */
export function observeCaches(
  registry: Registry,
  kms: Pick<Kms, 'keyRing' | 'tokens' | 'identities'>,
  caches: Caches,
): void {
  const registers = [registry];
  publishCounter(
    registry,
    'kms_cache_requests_total',
    'Lookups of keys, tokens and identities in memory, by result.',
    () => [
      ...samplesOf({ cache: 'keys' }, kms.keyRing.counts),
      ...samplesOf({ cache: 'tokens' }, kms.tokens.counts),
      ...samplesOf({ cache: 'identities' }, kms.identities.counts),
    ],
  );
  gauge(registers, 'kms_cache_keys', 'Keys held in memory.', () => kms.keyRing.held.keys);
  gauge(registers, 'kms_cache_key_bytes', 'Approximate bytes taken by keys in memory.', () => kms.keyRing.held.bytes);
  gauge(registers, 'kms_cache_tokens', 'Tokens held in memory.', () => kms.tokens.held);
  gauge(
    registers,
    'kms_cache_identities',
    'Credentials of issuers whose identities are held in memory.',
    () => kms.identities.held,
  );
  if (!caches.enabled) return;
  gauge(
    registers,
    'kms_cache_proof_age_seconds',
    'Seconds since everything in memory was last known to be unchanged. Above 0.75 nothing in memory is used.',
    () => (performance.now() - caches.feed.provenAt()) / 1000,
    'max',
  );
  const { redis } = caches;
  const shared = kms.keyRing.sharedCounts;
  if (shared === undefined || redis === undefined) return;
  publishCounter(registry, 'kms_cache_shared_requests_total', 'Lookups of keys in Redis, by result.', () =>
    samplesOf({}, shared),
  );
  publishCounter(registry, 'kms_cache_redis_failures_total', 'Redis calls that failed or took too long.', () => [
    { labels: {}, value: redis.failures },
  ]);
  gauge(
    registers,
    'kms_cache_redis_breaker_open',
    '1 while Redis is not used because it failed.',
    () => (redis.isOpen ? 1 : 0),
    'max',
  );
}

function samplesOf(labels: Sample['labels'], counts: CacheCounts | SharedCounts): Sample[] {
  return Object.entries<number>({ ...counts }).map(([result, value]) => ({ labels: { ...labels, result }, value }));
}

/** @param aggregator how the numbers of several workers become one */
function gauge(
  registers: Registry[],
  name: string,
  help: string,
  read: () => number,
  aggregator: 'sum' | 'max' = 'sum',
): void {
  const metric: Gauge = new Gauge({ name, help, registers, aggregator, collect: () => metric.set(read()) });
}
