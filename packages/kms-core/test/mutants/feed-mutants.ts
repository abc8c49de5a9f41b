import type { ChangeFeed, FeedEvent, Store } from '../../src/exports/internal.ts';
import { over, withUnits } from './wrappers.ts';

interface StoreWithFeed {
  readonly store: Store;
  readonly changes: ChangeFeed;
}

/** Makes one fault of a sound store and its feed. */
export type FeedMutant = (sound: StoreWithFeed) => StoreWithFeed;

const delivering =
  (change: (deliver: (event: FeedEvent) => void) => (event: FeedEvent) => void): FeedMutant =>
  ({ store, changes }) => ({
    store,
    changes: over(changes, { subscribe: (listener) => changes.subscribe(change(listener)) }),
  });
/** A feed that leaves some events out. */
const without = (isLost: (event: FeedEvent) => boolean): FeedMutant =>
  delivering((deliver) => (event) => {
    if (!isLost(event)) deliver(event);
  });

/** Stores whose feed breaks one promise each, by what they do. */
export const FEED_MUTANTS: Readonly<Record<string, FeedMutant>> = {
  'delivers no change': without(({ kind }) => kind !== 'mark'),
  'delivers no change of a key': without(({ kind }) => kind === 'key'),
  'delivers no revocation': without(({ kind }) => kind === 'token'),
  'delivers no binding and no denial of an identity': without(({ kind }) => kind === 'identity'),
  'delivers no shred': without(({ kind }) => kind === 'tenant'),
  'names no points': delivering((deliver) => {
    let begun = false;
    return (event) => {
      if (event.kind !== 'mark' || !begun) deliver(event);
      begun = true;
    };
  }),
  'names all points alike': delivering(
    (deliver) => (event) => deliver(event.kind === 'mark' ? { ...event, mark: 'the same' } : event),
  ),
  'names points differently for each listener': delivering((deliver) => {
    const own = crypto.randomUUID();
    return (event) => deliver(event.kind === 'mark' ? { ...event, mark: `${event.mark} ${own}` } : event);
  }),
  'delivers a change after the next one': delivering((deliver) => {
    let held: FeedEvent | undefined;
    return (event) => {
      if (event.kind === 'mark' && held === undefined) return deliver(event);
      const last = held;
      held = event.kind === 'mark' ? undefined : event;
      if (event.kind !== 'mark') return;
      if (last !== undefined) setImmediate(() => deliver(last));
      deliver(event);
    };
  }),
  'delivers a change twice': delivering((deliver) => (event) => {
    deliver(event);
    if (event.kind === 'key') deliver(event);
  }),
  'delivers a change before the commit': ({ store, changes }) => {
    const listeners = new Set<(event: FeedEvent) => void>();
    const units = withUnits(store, ({ keys }) => ({
      keys: over(keys, {
        update: async (key, revision) => {
          await keys.update(key, revision);
          for (const listener of listeners) listener({ kind: 'key', keyId: key.keyId });
        },
      }),
    }));
    return {
      store: units,
      changes: over(changes, {
        subscribe: (listener) => {
          listeners.add(listener);
          const end = changes.subscribe((event) => {
            if (event.kind !== 'key') listener(event);
          });
          return () => {
            listeners.delete(listener);
            end();
          };
        },
      }),
    };
  },
  'delivers what is added': ({ store, changes }) => {
    const listeners = new Set<(event: FeedEvent) => void>();
    const units = withUnits(store, ({ keys }) => ({
      keys: over(keys, {
        insert: async (key) => {
          await keys.insert(key);
          for (const listener of listeners) listener({ kind: 'key', keyId: key.keyId });
        },
      }),
    }));
    return {
      store: units,
      changes: over(changes, {
        subscribe: (listener) => {
          listeners.add(listener);
          return changes.subscribe(listener);
        },
      }),
    };
  },
  'proves what it has not delivered': delivering((deliver) => (event) => {
    if (event.kind === 'mark') deliver(event);
    else setTimeout(() => deliver(event), 20);
  }),
  'delivers to a listener that ended': ({ store, changes }) => ({
    store,
    changes: over(changes, {
      subscribe: (listener) => {
        changes.subscribe(listener);
        return () => undefined;
      },
    }),
  }),
  'begins without a point': delivering((deliver) => {
    let begun = false;
    return (event) => {
      if (begun) deliver(event);
      begun = true;
    };
  }),
};
