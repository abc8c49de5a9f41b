import { randomBytes } from 'node:crypto';
import { type Caller, effectivePermissions, resolveAlgorithm, softwareRoot, type TenantId } from '@qnsp/kms-core';
import {
  establishRoots,
  IdentityRing,
  KeyHierarchy,
  KeyRing,
  type Kms,
  DEFAULT_QUOTAS,
  OperationBudgets,
  TenantQuotas,
  KeyUses,
  OperationCounter,
  poolJobs,
  type RecordFormats,
  TokenRing,
} from '@qnsp/kms-core/internal';
import { InProcessFeed, type Store } from '@qnsp/kms-core/ports';
import { MapCache } from '@qnsp/kms-core/testing';

/** The core on a store, as the service puts it together. */
export async function fixtureKms(store: Store, rootKey: Uint8Array, formats?: RecordFormats): Promise<Kms> {
  const roots = [softwareRoot('software', rootKey)];
  const hierarchy = new KeyHierarchy(store, roots, formats && { formats });
  await establishRoots(store, hierarchy, roots);
  const feed = new InProcessFeed();
  return {
    store,
    hierarchy,
    keyRing: new KeyRing(store, hierarchy, { feed, memory: new MapCache() }),
    tokens: new TokenRing(store, hierarchy, { feed, memory: new MapCache() }),
    identities: new IdentityRing(store, hierarchy, { feed, memory: new MapCache() }, () => Date.now()),
    quotas: new TenantQuotas(store, hierarchy, { feed, memory: new MapCache() }, DEFAULT_QUOTAS),
    budgets: new OperationBudgets(store),
    resident: [],
    counter: new OperationCounter(),
    uses: new KeyUses(),
    jobs: poolJobs(),
    clock: () => Date.now(),
    random: randomBytes,
    settings: { defaultAlgorithm: resolveAlgorithm('AES-256-GCM'), requireFips: false },
  };
}

export function administrator(tenantId: TenantId): Caller {
  return {
    tenantId,
    subject: 'the fixture',
    permissions: effectivePermissions('platform_admin', []),
    attributes: { ip: '127.0.0.1', mfa: false },
  };
}
