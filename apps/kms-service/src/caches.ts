import { memoryCache, openRedisCache, type RedisCache } from '@qnsp/kms-cache';
import { type ChangeFeed, type KeyRingCaches, SharedRecords, SILENT_FEED, type TokenRingCaches } from '@qnsp/kms-core';
import { readCertificate } from './config/certificate-file.ts';
import type { CacheConfig } from './config/service-config.ts';
import type { Logger } from './http/logger.ts';

/** What keys and tokens are held in, and the parts whose numbers are worth watching. */
export interface Caches {
  readonly enabled: boolean;
  readonly forKeys: KeyRingCaches;
  readonly forTokens: TokenRingCaches;
  readonly feed: ChangeFeed;
  readonly shared: SharedRecords | undefined;
  readonly redis: RedisCache | undefined;
  close(): Promise<void>;
}

/** Tokens are small and fewer than keys; they share in the number of entries, and have this much memory beside the keys. */
const TOKEN_BYTES = 32 * 1024 * 1024;

/** Makes the caches that the configuration asks for. */
export function openCaches(config: CacheConfig, changes: ChangeFeed, log: Logger): Caches {
  if (!config.enabled) {
    const none = { feed: SILENT_FEED };
    return {
      enabled: false,
      forKeys: none,
      forTokens: none,
      ...none,
      shared: undefined,
      redis: undefined,
      close: async () => undefined,
    };
  }
  const { maxKeys, maxBytes, ttlSeconds } = config;
  const redis = openRedis(config, log);
  const shared =
    redis === undefined
      ? undefined
      : new SharedRecords(redis, changes, (keyId, cause) => {
          log.error({ keyId, err: cause }, 'a value in Redis is not what this service put there; ignoring it');
        });
  return {
    enabled: true,
    forKeys: {
      feed: changes,
      memory: memoryCache({ maxEntries: maxKeys, maxBytes, ttlSeconds }),
      ...(shared === undefined ? {} : { shared }),
    },
    forTokens: {
      feed: changes,
      memory: memoryCache({ maxEntries: maxKeys, maxBytes: TOKEN_BYTES, ttlSeconds }),
    },
    feed: changes,
    shared,
    redis,
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
