import { addTenant, MapCache } from '@qnsp/kms-core/testing';
import { randomBytes } from 'node:crypto';
import { type Caller, effectivePermissions, resolveAlgorithm, softwareRoot, type TenantId } from '@qnsp/kms-core';
import {
  establishRoots,
  IdentityRing,
  KeyHierarchy,
  KeyRing,
  type Kms,
  type MasterKeyChain,
  DEFAULT_QUOTAS,
  OperationBudgets,
  TenantQuotas,
  KeyUses,
  OperationCounter,
  poolJobs,
  TokenRing,
} from '@qnsp/kms-core/internal';
import { type ChangeFeed, newId, SILENT_FEED } from '@qnsp/kms-core/ports';
import { openPostgresStore } from '@qnsp/kms-store-drizzle';

/** The core on a PostgreSQL in this process, without caches and without HTTP, with one tenant and its administrator. */
export interface OpenedKms {
  readonly kms: Kms;
  readonly changes: ChangeFeed;
  readonly tenantId: TenantId;
  /** The opened master keys of the tenant. */
  readonly chain: MasterKeyChain;
  readonly admin: Caller;
  close(): Promise<void>;
}

/** Opens the core on an empty database. */
export async function openKms(databaseUrl: string): Promise<OpenedKms> {
  const opened = await openPostgresStore({ url: databaseUrl, ssl: 'disable', migrate: 'auto' });
  const { store, changes } = opened;
  const roots = [softwareRoot('software', randomBytes(32))];
  const hierarchy = new KeyHierarchy(store, roots);
  await establishRoots(store, hierarchy, roots);
  const tenantId = await addTenant(store, hierarchy);
  return {
    kms: {
      store,
      hierarchy,
      keyRing: new KeyRing(store, hierarchy, { feed: SILENT_FEED }),
      tokens: new TokenRing(store, hierarchy, { feed: SILENT_FEED }),
      identities: new IdentityRing(store, hierarchy, { feed: SILENT_FEED }, () => Date.now()),
      quotas: new TenantQuotas(store, hierarchy, { feed: changes, memory: new MapCache() }, DEFAULT_QUOTAS),
      budgets: new OperationBudgets(store),
      resident: [],
      counter: new OperationCounter(),
      uses: new KeyUses(),
      jobs: poolJobs(),
      clock: () => Date.now(),
      random: randomBytes,
      settings: { defaultAlgorithm: resolveAlgorithm('AES-256-GCM'), requireFips: false },
    },
    changes,
    tenantId,
    chain: await hierarchy.masterKeys(tenantId),
    admin: {
      tenantId,
      subject: newId(),
      permissions: effectivePermissions('tenant_admin', []),
      attributes: { ip: null, mfa: false },
    },
    close: () => opened.close(),
  };
}
