import { randomBytes } from 'node:crypto';
import {
  type Caller,
  effectivePermissions,
  establishRoots,
  IdentityRing,
  KeyHierarchy,
  KeyRing,
  type Kms,
  newId,
  DEFAULT_QUOTAS,
  OperationBudgets,
  TenantQuotas,
  KeyUses,
  OperationCounter,
  type Permission,
  poolJobs,
  type Quotas,
  type ResidentKeyProvider,
  resolveAlgorithm,
  type Role,
  type RootProvider,
  softwareRoot,
  TokenRing,
} from '../src/exports/internal.ts';
import { addTenant as insertTenant } from '../src/testing/add-tenant.ts';
import { type InMemoryStore, inMemoryStore } from '../src/testing/in-memory-store.ts';
import { MapCache } from '../src/testing/map-cache.ts';
import { watchUnits, type WatchedUnits } from './watched-units.ts';

export interface Fixture {
  readonly kms: Kms;
  readonly store: InMemoryStore;
  readonly roots: readonly RootProvider[];
  /** Refuses every call of a root, an HSM or its random bytes in a unit of work. */
  readonly units: WatchedUnits<InMemoryStore>;
  readonly tenantId: string;
  readonly admin: Caller;
  /** Moves the clock of the core and of the store. */
  advance(milliseconds: number): void;
  /** The same service after a restart: nothing in memory survives. */
  restarted(): Promise<Kms>;
}

/** A KMS on the in-memory store with one tenant. */
export async function makeFixture(
  options: {
    readonly messageBudget?: number;
    readonly requireFips?: boolean;
    readonly quotas?: Partial<Quotas>;
    readonly frozenClock?: boolean;
    readonly resident?: readonly ResidentKeyProvider[];
    /** A software root without it. */
    readonly root?: RootProvider;
  } = {},
): Promise<Fixture> {
  let offset = 0;
  const start = Date.now();
  const clock = () => (options.frozenClock ? start : Date.now()) + offset;
  const units = watchUnits(inMemoryStore({ now: () => new Date(clock()) }));
  const { store } = units;
  const random = units.random((bytes) => randomBytes(bytes));
  const roots = [units.root(options.root ?? softwareRoot('software', randomBytes(32)))];
  const resident = (options.resident ?? []).map((provider) => units.resident(provider));
  const tenantId = newId();
  const make = async (): Promise<Kms> => {
    const hierarchy = new KeyHierarchy(store, roots, { random });
    await establishRoots(store, hierarchy, roots);
    return {
      store,
      hierarchy,
      keyRing: new KeyRing(store, hierarchy, { feed: store.changes, memory: new MapCache() }, resident),
      tokens: new TokenRing(store, hierarchy, { feed: store.changes, memory: new MapCache() }),
      identities: new IdentityRing(store, hierarchy, { feed: store.changes, memory: new MapCache() }, clock),
      resident,
      quotas: new TenantQuotas(
        store,
        hierarchy,
        { feed: store.changes, memory: new MapCache() },
        { ...DEFAULT_QUOTAS, ...options.quotas },
      ),
      budgets: new OperationBudgets(
        store,
        options.messageBudget === undefined ? {} : { messageBudget: options.messageBudget },
      ),
      counter: new OperationCounter(),
      uses: new KeyUses(),
      jobs: poolJobs(),
      clock,
      random,
      settings: { defaultAlgorithm: resolveAlgorithm('AES-256-GCM'), requireFips: options.requireFips ?? false },
    };
  };
  const kms = await make();
  await addTenant(kms, tenantId);
  return {
    kms,
    store,
    roots,
    units,
    tenantId,
    admin: callerOf(tenantId, 'tenant_admin'),
    advance: (milliseconds) => {
      offset += milliseconds;
    },
    restarted: make,
  };
}

export async function addTenant(kms: Kms, tenantId: string): Promise<void> {
  await insertTenant(kms.store, kms.hierarchy, tenantId, { name: 'test' });
}

export function callerOf(tenantId: string, role: Role | null, permissions: readonly Permission[] = []): Caller {
  return {
    tenantId,
    subject: newId(),
    permissions: effectivePermissions(role, permissions),
    attributes: { ip: '127.0.0.1', mfa: false },
  };
}

/** Runs what may answer or throw at once, so that either comes later. */
export async function promised<T>(work: () => T | Promise<T>): Promise<T> {
  return work();
}
