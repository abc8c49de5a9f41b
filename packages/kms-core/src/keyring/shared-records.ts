import { KmsError } from '../errors/kms-error.ts';
import type { MasterKeyChain } from '../hierarchy/master-key-chain.ts';
import { isOfAnotherMasterKey, openCacheEntry, sealCacheEntry } from '../hierarchy/sealed-cache-entry.ts';
import type { KeyId } from '../model/identifiers.ts';
import type { KeyRecord } from '../model/key.ts';
import type { ChangeFeed } from '../ports/change-feed.ts';
import type { SharedCache } from '../ports/shared-cache.ts';
import { ChangeHistory } from './change-history.ts';
import { decodeRecord, encodeRecord } from './record-json.ts';

/** What became of the entries that were asked for. */
export interface SharedCounts {
  hits: number;
  /** Nothing was there, or nothing in time. */
  misses: number;
  /** Authentic, but from before a change or from before this node listened. */
  outdated: number;
  /** Did not open, parse or verify: damaged, moved, or made by somebody else. */
  rejected: number;
}

/**
 * Key records that nodes share, sealed under the master key of their tenant and bound to their place. An entry carries
 * the mark of the change feed after which it was read from the store; it counts only when no change of its key was
 * delivered after that mark. So an old entry that somebody puts back is nothing but a miss.
 */
export class SharedRecords {
  readonly counts: SharedCounts = { hits: 0, misses: 0, outdated: 0, rejected: 0 };
  readonly #cache: SharedCache;
  readonly #history: ChangeHistory;
  readonly #onRejected: (keyId: KeyId, cause: unknown) => void;

  /** @param onRejected called with entries that are not what a node put there */
  constructor(cache: SharedCache, feed: ChangeFeed, onRejected: (keyId: KeyId, cause: unknown) => void) {
    this.#cache = cache;
    this.#history = new ChangeHistory(feed);
    this.#onRejected = onRejected;
  }

  /** The record of a key as it was at a moment after which it did not change, if one is there. Never throws. */
  async find(chain: MasterKeyChain, keyId: KeyId): Promise<KeyRecord | undefined> {
    const sealed = await this.#cache.get(nameOf(chain, keyId));
    if (sealed === undefined) {
      this.counts.misses += 1;
      return undefined;
    }
    try {
      const record = this.#open(chain, keyId, sealed);
      if (record === undefined) this.counts.outdated += 1;
      else this.counts.hits += 1;
      return record;
    } catch (error) {
      // Whatever is wrong with it: the store has the truth.
      this.counts.rejected += 1;
      this.#onRejected(keyId, error);
      return undefined;
    }
  }

  #open(chain: MasterKeyChain, keyId: KeyId, sealed: Uint8Array): KeyRecord | undefined {
    if (isOfAnotherMasterKey(chain, sealed)) return undefined;
    const { mark, record } = open(chain, keyId, sealed);
    if (!this.#history.unchangedSince(mark, chain.current.tenantId, keyId)) return undefined;
    // Not before: what the key was before a change may be under a master key that was destroyed since.
    chain.verifyRecord(record);
    return chain.hasAllOf(record) ? record : undefined;
  }

  /** The latest change that a read starting now is guaranteed to see. */
  mark(): string | undefined {
    return this.#history.latest;
  }

  /** Shares a record that was read from the store after the mark. */
  keep(chain: MasterKeyChain, record: KeyRecord, mark: string | undefined): void {
    if (mark === undefined) return;
    const entry = JSON.stringify({ mark, record: encodeRecord(record) });
    this.#cache.put(nameOf(chain, record.keyId), sealCacheEntry(chain, record.keyId, Buffer.from(entry, 'utf8')));
  }
}

function open(chain: MasterKeyChain, keyId: KeyId, sealed: Uint8Array) {
  // What opens was written by `keep`, so it has this shape.
  const { mark, record } = JSON.parse(openCacheEntry(chain, keyId, sealed).toString('utf8')) as {
    readonly mark: string;
    readonly record: Parameters<typeof decodeRecord>[0];
  };
  const decoded = decodeRecord(record);
  if (decoded.tenantId !== chain.current.tenantId || decoded.keyId !== keyId)
    throw new KmsError('INTERNAL_ERROR', 'The shared entry holds another key.');
  return { mark, record: decoded };
}

function nameOf(chain: MasterKeyChain, keyId: KeyId): string {
  return `${chain.current.tenantId}:${keyId}`;
}
