import type { KeyId, TenantId } from '../model/identifiers.ts';

/**
 * For how long what was read may be used without a newer proof that it is still so, in milliseconds. A change takes
 * effect everywhere within a second; the rest of that second is for the operation that was just let in.
 */
export const TRUST_MS = 750;

/** Something that a store changed, as its feed tells it. */
export type StoreChange =
  | { readonly kind: 'key'; readonly keyId: KeyId }
  | { readonly kind: 'token'; readonly tokenId: string }
  | { readonly kind: 'tenant'; readonly tenantId: TenantId }
  /** A binding or a denial, by what it is found by, in hexadecimal: it was added, removed or changed. */
  | { readonly kind: 'identity'; readonly foundBy: string };

/** What a feed delivers, in an order in which every feed of the same store delivers it. */
export type FeedEvent =
  | StoreChange
  /** Changes may have been missed: nothing that was read before counts any longer. */
  | { readonly kind: 'gap' }
  | Mark;

/**
 * A point in the order, by a name that no other point of the store has. Every change after it comes after it in the
 * order. Anyone who may write to the store's channel can repeat or forge one.
 */
export interface Mark {
  readonly kind: 'mark';
  readonly mark: string;
  /** A number of the store that is a part of the name and rises from one mark to the next, but for those made side by side. */
  readonly at: number;
  /** This process made it, and this is the first time that it comes. */
  readonly own: boolean;
}

/**
 * Reports what changes in a store, no matter who changes it, and proves up to when it has reported everything.
 *
 * Contract (`testing/change-feed-contract.ts`): a committed change of a key or a tenant and a revoked token are
 * delivered in the order of their commits, and nothing that was rolled back; what is added is not a change, but for bindings
 * and denials of identities, which change what is known of somebody. When
 * `provenAt` answers `t`, every change that was committed before `t` was delivered. The first event is a gap or a mark.
 */
export interface ChangeFeed {
  /** Calls the listener with each event, at once and in order. The answer ends that. */
  subscribe(listener: (event: FeedEvent) => void): () => void;
  /**
   * Until when everything is known to be delivered, in milliseconds of `performance.now()`; `-Infinity` when nothing is
   * known. Cheap: it is asked for every use of a key.
   */
  provenAt(): number;
}

/** The feed of what never tells anything: nothing is ever proven, so everything is read from the store. */
export const SILENT_FEED: ChangeFeed = { subscribe: () => () => undefined, provenAt: () => -Infinity };
