import {
  bootstrapTenant,
  type Caller,
  createKey,
  decrypt,
  encrypt,
  establishRoots,
  KeyHierarchy,
  KeyRing,
  type Kms,
  listKeys,
  listTenants,
  OperationBudgets,
  OperationCounter,
  operationOfService,
  resolveAlgorithm,
  ROLE_PERMISSIONS,
  SILENT_FEED,
  softwareRoot,
  SYSTEM_TENANT,
  TokenRing,
} from '@qnsp/kms-core';
import { openPgliteStore } from '@qnsp/kms-store-drizzle';
import { randomBytes } from 'node:crypto';

const KEY = 'vault';

/** Keeps secrets of one program under its own key. */
export interface Vault {
  seal(secret: string): Promise<string>;
  open(sealed: string): Promise<string>;
  close(): Promise<void>;
}

/**
 * Opens a vault on an embedded database, with the core that the service has and without its HTTP.
 *
 * @param dataDir a directory for the database
 * @param rootKey 32 bytes that the program keeps elsewhere
 */
export async function openVault(dataDir: string, rootKey: Uint8Array): Promise<Vault> {
  const opened = await openPgliteStore({ dataDir });
  const { store } = opened;
  const roots = [softwareRoot('software', rootKey)];
  const hierarchy = new KeyHierarchy(store, roots);
  await establishRoots(store, hierarchy, roots);
  const kms: Kms = {
    store,
    hierarchy,
    keyRing: new KeyRing(store, hierarchy, { feed: SILENT_FEED }),
    tokens: new TokenRing(store, hierarchy, { feed: SILENT_FEED }),
    budgets: new OperationBudgets(store),
    resident: [],
    counter: new OperationCounter(),
    clock: () => Date.now(),
    random: (bytes) => randomBytes(bytes),
    settings: { defaultAlgorithm: resolveAlgorithm('AES-256-GCM'), requireFips: false },
  };
  const caller = await ownCaller(kms);
  const { items } = await listKeys({ kms, caller }, { name: KEY, limit: 1 });
  const { keyId } = items[0] ?? (await createKey({ kms, caller }, { name: KEY }));
  return {
    async seal(secret) {
      const { ciphertext } = await encrypt({ kms, caller }, { keyId, plaintext: Buffer.from(secret) });
      return Buffer.from(ciphertext).toString('base64');
    },
    async open(sealed) {
      const { plaintext } = await decrypt({ kms, caller }, { ciphertext: Buffer.from(sealed, 'base64') });
      return Buffer.from(plaintext).toString('utf8');
    },
    close: () => opened.close(),
  };
}

/** The program itself is the one tenant and the one caller; it authenticates nobody. */
async function ownCaller(kms: Kms): Promise<Caller> {
  const first = await bootstrapTenant(operationOfService(kms, 'bootstrapTenant'), {
    name: 'this program',
    token: { name: 'not used', role: 'auditor' },
    publish: () => undefined,
  });
  const program = {
    subject: 'vault',
    permissions: ROLE_PERMISSIONS.tenant_admin,
    attributes: { ip: null, mfa: false },
  };
  if (first !== undefined) return { ...program, tenantId: first.tenantId };
  const platform = { ...program, tenantId: SYSTEM_TENANT, permissions: ROLE_PERMISSIONS.platform_admin };
  const [tenant] = (await listTenants({ kms, caller: platform })).items;
  if (tenant === undefined) throw new Error('The database has no tenant, although it was set up.');
  return { ...program, tenantId: tenant.tenantId };
}
