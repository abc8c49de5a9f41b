import type { KeyId } from '../model/identifiers.ts';
import type { MemoryCache } from '../ports/memory-cache.ts';
import type { SharedCache } from '../ports/shared-cache.ts';
import type { BoundIdentities } from './bound-identities.ts';
import type { LoadedKey } from './loaded-key.ts';
import type { HeldLimits } from './tenant-quotas.ts';
import type { LiveToken } from './token-ring.ts';

/** What one KMS holds keys and tokens in. */
export interface KmsCaches {
  /** Keys with their unsealed versions, in this process. */
  readonly keys: MemoryCache<LoadedKey>;
  /** Live tokens, by a hash. */
  readonly tokens: MemoryCache<LiveToken>;
  /** Who the credentials of issuers are, by hashes of them; default: that is read for each call. */
  readonly identities?: MemoryCache<BoundIdentities> | undefined;
  /** How much tenants may have and take; default: that is read for each creation. */
  readonly quotas?: MemoryCache<HeldLimits> | undefined;
  /** Sealed records of keys that several processes share; default: none. */
  readonly shared?: SharedCache | undefined;
  /** Hears of what is in the shared cache and is not what a process put there; default: the alert sink of the KMS. */
  readonly onRejected?: (keyId: KeyId, cause: unknown) => void;
  close?(): Promise<void>;
}

/** Makes the caches of one KMS. It is called once for each: two stores must never share what is held in memory. */
export type OpenCaches = () => KmsCaches;
