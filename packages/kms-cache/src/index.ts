export { type MemoryCacheOptions, memoryCache } from './memory-cache.ts';
export { type MemoryCachesOptions, memoryCaches } from './memory-caches.ts';
export { openRedisCache, type RedisCache, type RedisCacheOptions } from './redis-cache.ts';
export { parseRedisUrl } from './redis-url.ts';
