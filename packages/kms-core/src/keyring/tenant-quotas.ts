import { andThen, type MaybePromise } from '../base/maybe-promise.ts';
import type { KeyHierarchy } from '../hierarchy/key-hierarchy.ts';
import type { TenantId } from '../model/identifiers.ts';
import type { Quotas } from '../model/quotas.ts';
import { quotasWith, type TenantLimits } from '../model/tenant-limits.ts';
import type { ChangeFeed, FeedEvent } from '../ports/change-feed.ts';
import type { MemoryCache } from '../ports/memory-cache.ts';
import type { Store } from '../ports/store.ts';
import { FreshCache } from './fresh-cache.ts';
import { ownLimits } from './own-limits.ts';

/** What is held of the limits of a tenant. */
export interface HeldLimits {
  /** Its own; `undefined` where it has none. */
  readonly own: TenantLimits | undefined;
  readonly quotas: Quotas;
}

/** What limits may be held in; without `memory` those of a tenant are read for each use. */
export interface QuotaCaches {
  readonly feed: ChangeFeed;
  readonly memory?: MemoryCache<HeldLimits> | undefined;
}

/** What the record of a tenant in the memory takes, roughly. */
const BYTES = 256;

/** Knows how much a tenant may have and take: what the platform set for it, or what holds for all. */
export class TenantQuotas {
  readonly #store: Store;
  readonly #hierarchy: KeyHierarchy;
  readonly #forAll: Quotas;
  readonly #held: FreshCache<HeldLimits>;

  constructor(store: Store, hierarchy: KeyHierarchy, { feed, memory }: QuotaCaches, forAll: Quotas) {
    this.#store = store;
    this.#hierarchy = hierarchy;
    this.#forAll = forAll;
    this.#held = new FreshCache(feed, memory, () => BYTES);
    feed.subscribe((event) => this.#onEvent(event));
  }

  /**
   * The quotas of a tenant, without a promise when they are held.
   *
   * @throws KmsError `INTERNAL_ERROR` when somebody changed the record of the tenant
   */
  of(tenantId: TenantId): MaybePromise<Quotas> {
    return andThen(this.#limits(tenantId), ({ quotas }) => quotas);
  }

  /**
   * What a tenant has of its own of the limits, for an identity that was found without its record; `undefined` where that is nothing.
   *
   * @throws KmsError `INTERNAL_ERROR` when somebody changed the record of the tenant
   */
  ownOf(tenantId: TenantId): MaybePromise<TenantLimits | undefined> {
    return andThen(this.#limits(tenantId), ({ own }) => own);
  }

  /** Drops what is held of a tenant. */
  forgetTenant(tenantId: TenantId): void {
    this.#held.forget(tenantId);
  }

  #limits(tenantId: TenantId): MaybePromise<HeldLimits> {
    return this.#held.get(tenantId) ?? this.#held.load(tenantId, '', () => this.#read(tenantId));
  }

  async #read(tenantId: TenantId): Promise<HeldLimits> {
    const own = await ownLimits(this.#store, this.#hierarchy, tenantId);
    return { own, quotas: quotasWith(this.#forAll, own) };
  }

  #onEvent(event: FeedEvent): void {
    if (event.kind === 'tenant') this.forgetTenant(event.tenantId);
    else if (event.kind === 'gap') this.#held.forgetAll();
  }
}
