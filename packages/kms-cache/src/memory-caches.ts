import type { OpenCaches } from '@qnsp/kms-core';
import type { BoundIdentities, HeldLimits } from '@qnsp/kms-core/internal';
import type { LiveToken, LoadedKey } from '@qnsp/kms-core/ports';
import { memoryCache } from './memory-cache.ts';

/** How much the caches of a KMS hold, and for how long. */
export interface MemoryCachesOptions {
  /** How many keys, and how many tokens, may be held; default: 10,000. */
  readonly maxKeys?: number;
  /** How much memory keys may take, in bytes; default: 256 MiB. */
  readonly maxBytes?: number;
  /** How long a key or a token may be held, in seconds; default: 600. */
  readonly ttlSeconds?: number;
}

/** Tokens and identities are small and fewer than keys; each share in the number of entries, and have this much memory beside the keys. */
const TOKEN_BYTES = 32 * 1024 * 1024;

/**
 * Has a KMS hold keys and tokens in the memory of this process.
 *
 * @example
 * import { randomBytes } from 'node:crypto';
 * import { memoryCaches } from '@qnsp/kms-cache';
 * import { openKms, softwareRoot } from '@qnsp/kms-core';
 * import { inMemoryStorage } from '@qnsp/kms-core/testing';
 * await using kms = await openKms({
 *   storage: inMemoryStorage(),
 *   roots: softwareRoot('software', randomBytes(32)),
 *   alert: ({ message }) => console.error(message),
 *   cache: memoryCaches({ maxKeys: 1000, ttlSeconds: 300 }),
 * });
 */
export function memoryCaches({
  maxKeys = 10_000,
  maxBytes = 256 * 1024 * 1024,
  ttlSeconds = 600,
}: MemoryCachesOptions = {}): OpenCaches {
  return () => ({
    keys: memoryCache<LoadedKey>({ maxEntries: maxKeys, maxBytes, ttlSeconds }),
    tokens: memoryCache<LiveToken>({ maxEntries: maxKeys, maxBytes: TOKEN_BYTES, ttlSeconds }),
    quotas: memoryCache<HeldLimits>({ maxEntries: maxKeys, maxBytes: TOKEN_BYTES, ttlSeconds }),
    identities: memoryCache<BoundIdentities>({ maxEntries: maxKeys, maxBytes: TOKEN_BYTES, ttlSeconds }),
  });
}
