import { AsyncLocalStorage } from 'node:async_hooks';
import type { KeyEngine, ResidentKeyProvider, RootProvider, Store } from '../src/exports/internal.ts';

/** Parts of a KMS that know of each other: what an HSM does is refused in a unit of work. */
export interface WatchedUnits<S extends Store> {
  readonly store: S;
  root(provider: RootProvider): RootProvider;
  resident(provider: ResidentKeyProvider): ResidentKeyProvider;
  random<T>(random: (bytes: number) => T): (bytes: number) => T;
  /** The calls that were refused, and how many were let through. */
  readonly refused: readonly string[];
  readonly letThrough: number;
}

/**
 * Refuses whatever an HSM may be asked for from inside a unit of work: an HSM takes its time, and a unit of work that waits
 * for one holds locks and a connection, until the database ends it. What runs beside a unit without belonging to it may.
 */
export function watchUnits<S extends Store>(store: S): WatchedUnits<S> {
  const inside = new AsyncLocalStorage<boolean>();
  const refused: string[] = [];
  let letThrough = 0;
  const outside = <A extends readonly unknown[], T>(name: string, call: (...args: A) => T) => {
    return (...args: A): T => {
      if (inside.getStore() === true) {
        refused.push(name);
        throw new Error(`${name} was called in a unit of work`);
      }
      letThrough += 1;
      return call(...args);
    };
  };
  return {
    store: overriding<S, Store>(store, {
      transact: (scope, work) => store.transact(scope, (unit) => inside.run(true, () => work(unit))),
    }),
    root: (provider) => ({
      id: provider.id,
      kind: provider.kind,
      checkValue: outside(`checkValue of ${provider.id}`, () => provider.checkValue()),
      wrap: outside(`wrap of ${provider.id}`, (key, aad) => provider.wrap(key, aad)),
      unwrap: outside(`unwrap of ${provider.id}`, (wrapped, aad) => provider.unwrap(wrapped, aad)),
    }),
    resident: (provider) =>
      overriding<ResidentKeyProvider, ResidentKeyProvider>(provider, {
        algorithms: outside(`algorithms of ${provider.id}`, () => provider.algorithms()),
        generate: outside(`generate of ${provider.id}`, (algorithm, name) => provider.generate(algorithm, name)),
        destroy: outside(`destroy of ${provider.id}`, (handle) => provider.destroy(handle)),
        list: outside(`list of ${provider.id}`, () => provider.list()),
        engine: (...args) => watchedEngine(provider.engine(...args)),
      }),
    random: (random) => outside('random', random),
    refused,
    get letThrough() {
      return letThrough;
    },
  };

  function watchedEngine(engine: KeyEngine): KeyEngine {
    const { seal, open, sign, verify, mac, verifyMac } = engine;
    return {
      ...(seal && { seal: outside('seal of a resident key', seal) }),
      ...(open && { open: outside('open of a resident key', open) }),
      ...(sign && { sign: outside('sign of a resident key', sign) }),
      ...(verify && { verify: outside('verify of a resident key', verify) }),
      ...(mac && { mac: outside('mac of a resident key', mac) }),
      ...(verifyMac && { verifyMac: outside('verifyMac of a resident key', verifyMac) }),
    };
  }
}

/** An object with some of its members replaced; the others see the object itself, private members included. */
function overriding<T extends M, M extends object>(target: T, members: Partial<M>): T {
  return new Proxy(target, {
    get: (of, name) => {
      if (name in members) return Reflect.get(members, name) as unknown;
      const value = Reflect.get(of, name, of) as unknown;
      return typeof value === 'function' ? (value.bind(of) as unknown) : value;
    },
  });
}
