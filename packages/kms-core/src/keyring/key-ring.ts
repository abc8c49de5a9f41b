import type { MaybePromise } from '../base/maybe-promise.ts';
import { checkId } from '../bounds/check-values.ts';
import { KmsError } from '../errors/kms-error.ts';
import type { KeyHierarchy } from '../hierarchy/key-hierarchy.ts';
import type { MasterKeyChain } from '../hierarchy/master-key-chain.ts';
import type { KeyId, TenantId } from '../model/identifiers.ts';
import type { KeyRecord } from '../model/key.ts';
import type { ChangeFeed, FeedEvent } from '../ports/change-feed.ts';
import type { MemoryCache } from '../ports/memory-cache.ts';
import type { ResidentKeyProvider } from '../ports/resident-keys.ts';
import type { Store } from '../ports/store.ts';
import { type CacheCounts, FreshCache } from './fresh-cache.ts';
import { bytesOfKey, type LoadedKey, loadedKey } from './loaded-key.ts';
import type { SharedCounts, SharedRecords } from './shared-records.ts';

/** How often a record is read that names master keys which are not there. */
const ATTEMPTS = 3;

/** What a key ring may hold keys in; without `memory` it reads every key for every use. */
export interface KeyRingCaches {
  readonly feed: ChangeFeed;
  readonly memory?: MemoryCache<LoadedKey> | undefined;
  /** Records that nodes share. Asked only when memory does not have a key and the feed is alive. */
  readonly shared?: SharedRecords | undefined;
}

/**
 * Finds keys for use. A key that was read once is held with its unsealed versions for as long as the change feed proves
 * that its record is still the stored one.
 */
export class KeyRing {
  readonly #store: Store;
  readonly #hierarchy: KeyHierarchy;
  readonly #keys: FreshCache<LoadedKey>;
  readonly #shared: SharedRecords | undefined;
  readonly #resident: readonly ResidentKeyProvider[];

  /** @param resident the HSMs in which versions may live */
  constructor(
    store: Store,
    hierarchy: KeyHierarchy,
    { feed, memory, shared }: KeyRingCaches,
    resident: readonly ResidentKeyProvider[] = [],
  ) {
    this.#resident = resident;
    this.#store = store;
    this.#hierarchy = hierarchy;
    this.#keys = new FreshCache(feed, memory, bytesOfKey);
    this.#shared = memory === undefined ? undefined : shared;
    feed.subscribe((event) => this.#onEvent(event));
  }

  /**
   * A key for use, without a promise when it is held. Throws `NOT_FOUND` for one that this tenant does not have, and
   * `STORE_UNAVAILABLE` when nothing recent enough can be had.
   */
  load(tenantId: TenantId, keyId: KeyId): MaybePromise<LoadedKey> {
    const held = this.#keys.get(keyId);
    if (held !== undefined) {
      if (held.record.tenantId === tenantId) return held;
      // The numbers must not tell a key of another tenant from one that does not exist.
      this.#keys.countAsMiss();
    }
    return this.#loadCold(tenantId, keyId);
  }

  /** A key that `load` would answer without a promise; otherwise `undefined`, and nothing is read or counted. */
  heldKey(tenantId: TenantId, keyId: KeyId): LoadedKey | undefined {
    return this.#keys.peek(keyId)?.record.tenantId === tenantId ? this.#keys.get(keyId) : undefined;
  }

  async #loadCold(tenantId: TenantId, keyId: KeyId): Promise<LoadedKey> {
    // Only here: what is held has right ids.
    checkId('tenantId', tenantId);
    checkId('keyId', keyId);
    // Before the read, whose time counts: a slow root is not a slow store.
    await this.#hierarchy.warm(tenantId);
    return this.#keys.load(keyId, tenantId, () => this.#read(tenantId, keyId));
  }

  /** A key as it is stored now, for what shows or plans a change. Throws as `load` does. */
  async read(tenantId: TenantId, keyId: KeyId): Promise<KeyRecord> {
    checkId('tenantId', tenantId);
    checkId('keyId', keyId);
    const { record } = await this.#readRecord(tenantId, keyId);
    return record;
  }

  /** Drops what is held of a key: its change takes effect here from now on. */
  forget(keyId: KeyId): void {
    this.#keys.forget(keyId);
  }

  /** Drops what is held of a tenant, its master keys included. */
  forgetTenant(tenantId: TenantId): void {
    this.#hierarchy.forget(tenantId);
    this.#keys.forgetWhere((key) => key.record.tenantId === tenantId);
  }

  get counts(): CacheCounts {
    return this.#keys.counts;
  }

  /** What became of the shared records that were asked for; `undefined` when none are shared. */
  get sharedCounts(): SharedCounts | undefined {
    return this.#shared?.counts;
  }

  /** How many keys are held, and roughly how many bytes they take. */
  get held(): { readonly keys: number; readonly bytes: number } {
    return { keys: this.#keys.memory?.size ?? 0, bytes: this.#keys.memory?.bytes ?? 0 };
  }

  #onEvent(event: FeedEvent): void {
    if (event.kind === 'key') this.forget(event.keyId);
    else if (event.kind === 'tenant') this.forgetTenant(event.tenantId);
    else if (event.kind === 'gap') {
      this.#hierarchy.doubtTenants();
      this.#keys.forgetAll();
    }
  }

  async #read(tenantId: TenantId, keyId: KeyId): Promise<LoadedKey> {
    if (this.#shared === undefined || !this.#keys.isTrusted()) return this.#readStore(tenantId, keyId);
    const chain = await this.#hierarchy.masterKeys(tenantId);
    const shared = await this.#shared.find(chain, keyId);
    // The proof must be as recent as the use: the answer may have taken its time.
    if (shared !== undefined && this.#keys.isTrusted()) return loadedKey(shared, chain, this.#resident);
    const mark = this.#shared.mark();
    const read = await this.#readStore(tenantId, keyId);
    this.#shared.keep(chain, read.record, mark);
    return read;
  }

  async #readStore(tenantId: TenantId, keyId: KeyId): Promise<LoadedKey> {
    const { record, chain } = await this.#readRecord(tenantId, keyId);
    return loadedKey(record, chain, this.#resident);
  }

  async #readRecord(tenantId: TenantId, keyId: KeyId): Promise<{ record: KeyRecord; chain: MasterKeyChain }> {
    for (let attempt = 1; ; attempt += 1) {
      const record = await this.#store.readKey(tenantId, keyId);
      if (record === undefined) throw keyNotFound();
      const chain = await this.#hierarchy.masterKeys(tenantId);
      // The master key was rotated, or what it was before was destroyed, between the two; or somebody changed the record.
      if (!chain.hasAllOf(record) && attempt < ATTEMPTS) await this.#hierarchy.areOutdated(tenantId, chain);
      else return { record, chain: await this.#authenticate(record) };
    }
  }

  /**
   * The master keys under which a record is authentic. When those in memory do not authenticate it they are read again:
   * another node may have rotated them, or have shredded the tenant, which is `NOT_FOUND`.
   */
  async #authenticate(record: KeyRecord): Promise<MasterKeyChain> {
    const held = await this.#hierarchy.masterKeys(record.tenantId);
    try {
      held.verifyRecord(record);
      return held;
    } catch (error) {
      if (!KmsError.is(error)) throw error;
      this.#hierarchy.forget(record.tenantId);
      const chain = await this.#hierarchy.masterKeys(record.tenantId);
      chain.verifyRecord(record);
      return chain;
    }
  }
}

/** The one answer for a key that does not exist and for a key of another tenant. */
export function keyNotFound(): KmsError {
  return new KmsError('NOT_FOUND', 'There is no key with this id.');
}
