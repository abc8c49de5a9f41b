import { memoryCaches, openRedisCache, type RedisCache } from '@qnsp/kms-cache';
import type { OpenCaches } from '@qnsp/kms-core';
import { type ChangeFeed, SILENT_FEED } from '@qnsp/kms-core/ports';
import { readCertificate } from './config/certificate-file.ts';
import type { CacheConfig } from './config/service-config.ts';
import type { Logger } from './http/logger.ts';

/** What keys and tokens are held in, and the parts whose numbers are worth watching. */
export interface Caches {
  readonly enabled: boolean;
  readonly feed: ChangeFeed;
  readonly redis: RedisCache | undefined;
  /** Makes what the KMS holds keys and tokens in; absent when it holds none. */
  readonly open?: OpenCaches;
  close(): Promise<void>;
}

/** Makes the caches that the configuration asks for. */
export function openCaches(config: CacheConfig, changes: ChangeFeed, log: Logger): Caches {
  if (!config.enabled) return { enabled: false, feed: SILENT_FEED, redis: undefined, close: async () => undefined };
  const { maxKeys, maxBytes, ttlSeconds } = config;
  const redis = openRedis(config, log);
  const inMemory = memoryCaches({ maxKeys, maxBytes, ttlSeconds });
  return {
    enabled: true,
    feed: changes,
    redis,
    open: () => ({
      ...inMemory(),
      shared: redis,
      onRejected: (keyId, cause) =>
        log.error({ keyId, err: cause }, 'a value in Redis is not what this service put there; ignoring it'),
    }),
    close: async () => redis?.close(),
  };
}

function openRedis({ redisUrl, redisCaFile, ttlSeconds }: CacheConfig, log: Logger): RedisCache | undefined {
  if (redisUrl === undefined) return undefined;
  return openRedisCache({
    url: redisUrl,
    ttlSeconds,
    ...(redisCaFile === undefined ? {} : { caPem: readCertificate('KMS_CACHE_REDIS_CA_FILE', redisCaFile) }),
    onChange: (state, cause) => {
      if (state === 'open') log.warn({ err: cause }, 'Redis is slow or does not answer; continuing without it');
      else log.info('Redis answers again');
    },
  });
}
