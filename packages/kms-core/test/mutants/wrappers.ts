import type { Store, StoreScope, UnitOfWork } from '../../src/exports/internal.ts';

type Transact = Store['transact'];

/** The same object but for these members; what it keeps private stays with it. */
export function over<T extends object>(target: T, change: Partial<T>): T {
  return new Proxy(target, {
    get: (_, name) => {
      if (Object.hasOwn(change, name)) return Reflect.get(change, name);
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
}

/** A copy that lacks one member. */
export function without<T extends object, K extends keyof T>(value: T, name: K): Omit<T, K> {
  const copy = { ...value };
  Reflect.deleteProperty(copy, name);
  return copy;
}

/** A store whose units of work are the same but for these members. */
export function withUnits(store: Store, change: (unit: UnitOfWork, scope: StoreScope) => Partial<UnitOfWork>): Store {
  const transact: Transact = (scope, work) =>
    store.transact(scope, (unit) => work({ ...unit, ...change(unit, scope) }));
  return over(store, { transact });
}

type Group = Exclude<keyof UnitOfWork, 'now'>;
/** Which call of a unit this is, as `keys.get`, and what it was given. */
export type Call = (name: string, args: readonly unknown[]) => boolean;

interface OpenUnit {
  readonly unit: UnitOfWork;
  commit(): Promise<void>;
  rollBack(): Promise<void>;
}

async function openUnit(store: Store, scope: StoreScope): Promise<OpenUnit> {
  const [begun, ended] = [Promise.withResolvers<UnitOfWork>(), Promise.withResolvers<void>()];
  const rolledBack = new Error('rolled back');
  const run = store.transact(scope, async (unit) => {
    begun.resolve(unit);
    await ended.promise;
  });
  run.catch(begun.reject);
  return {
    unit: await begun.promise,
    commit: async () => {
      ended.resolve();
      await run;
    },
    rollBack: async () => {
      ended.reject(rolledBack);
      await run.catch((error: unknown) => {
        if (error !== rolledBack) throw error;
      });
    },
  };
}

/** A store that commits a unit as soon as one of these calls is done, and goes on in another one: what it locked is free. */
export function splitAfter(store: Store, isLast: Call): Store {
  const transact: Transact = async (scope, work) => {
    let open: OpenUnit | undefined = await openUnit(store, scope);
    const { now } = open.unit;
    const group = <K extends Group>(name: K): UnitOfWork[K] =>
      new Proxy(open?.unit[name] ?? ({} as UnitOfWork[K]), {
        get:
          (_, method) =>
          async (...args: readonly unknown[]): Promise<unknown> => {
            open ??= await openUnit(store, scope);
            const records = open.unit[name];
            const call: unknown = Reflect.get(records, method, records);
            if (typeof call !== 'function') throw new Error(`there is no ${name}.${String(method)}`);
            const answer: unknown = await Reflect.apply(call, records, args);
            if (isLast(`${name}.${String(method)}`, args)) {
              const ending = open;
              open = undefined;
              await ending.commit();
            }
            return answer;
          },
      });
    try {
      const answer = await work({
        now,
        keys: group('keys'),
        tenants: group('tenants'),
        tokens: group('tokens'),
        identities: group('identities'),
        idempotency: group('idempotency'),
        evidence: group('evidence'),
        residents: group('residents'),
        seals: group('seals'),
        migrations: group('migrations'),
        approvals: group('approvals'),
      });
      await open?.commit();
      return answer;
    } catch (error) {
      await open?.rollBack();
      throw error;
    }
  };
  return over(store, { transact });
}

/** Everything in a value, through its members, as this makes it. */
function mapped(value: unknown, change: (part: unknown) => unknown): unknown {
  const part = change(value);
  if (part instanceof Uint8Array || part instanceof Date || part instanceof Map || part instanceof Set) return part;
  if (Array.isArray(part)) return part.map((each) => mapped(each, change));
  if (part === null || typeof part !== 'object') return part;
  return Object.fromEntries(Object.entries(part).map(([name, member]) => [name, mapped(member, change)]));
}

/** A store all of whose answers go through this. */
export function answering(store: Store, change: (part: unknown) => unknown): Store {
  const through = <T extends object>(target: T): T =>
    new Proxy(target, {
      get: (_, name) => {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== 'function') return member;
        return async (...args: readonly unknown[]): Promise<unknown> =>
          mapped(await Reflect.apply(member, target, args), change);
      },
    });
  const units = withUnits(store, ({ keys, tenants, tokens, identities, idempotency, residents, migrations }) => ({
    keys: through(keys),
    tenants: through(tenants),
    tokens: through(tokens),
    identities: through(identities),
    idempotency: through(idempotency),
    residents: through(residents),
    migrations: through(migrations),
  }));
  const direct = through(store);
  return over(units, {
    readKey: (tenantId, keyId) => direct.readKey(tenantId, keyId),
    findToken: (hash) => direct.findToken(hash),
  });
}
