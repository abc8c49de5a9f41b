export { type MemoryCacheOptions, memoryCache } from './memory-cache.ts';
export { openRedisCache, type RedisCache, type RedisCacheOptions } from './redis-cache.ts';
export { parseRedisUrl } from './redis-url.ts';
