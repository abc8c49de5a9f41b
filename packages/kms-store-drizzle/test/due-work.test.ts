import { randomBytes } from 'node:crypto';
import { effectivePermissions, resolveAlgorithm, softwareRoot } from '@qnsp/kms-core';
import {
  createKey,
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
  runDueWork,
  TokenRing,
  operationOfService,
} from '@qnsp/kms-core/internal';
import { newId, SILENT_FEED } from '@qnsp/kms-core/ports';
import { openPostgresStore } from '@qnsp/kms-store-drizzle';
import { addTenant } from '@qnsp/kms-core/testing';
import { createDatabase } from '@qnsp/test-harness';
import { expect, it } from 'vitest';

const KEYS = 30;

it('background jobs of three nodes rotate each due key once', async () => {
  const database = await createDatabase();
  const rootKey = randomBytes(32);
  const opened = await Promise.all(
    Array.from({ length: 3 }, () => openPostgresStore({ url: database.url, ssl: 'disable', migrate: 'auto' })),
  );
  const nodes: Kms[] = [];
  for (const { store } of opened) {
    const roots = [softwareRoot('software', Uint8Array.from(rootKey))];
    const hierarchy = new KeyHierarchy(store, roots);
    await establishRoots(store, hierarchy, roots);
    nodes.push({
      store,
      hierarchy,
      keyRing: new KeyRing(store, hierarchy, { feed: SILENT_FEED }),
      tokens: new TokenRing(store, hierarchy, { feed: SILENT_FEED }),
      identities: new IdentityRing(store, hierarchy, { feed: SILENT_FEED }, () => Date.now()),
      quotas: new TenantQuotas(store, hierarchy, { feed: SILENT_FEED }, DEFAULT_QUOTAS),
      budgets: new OperationBudgets(store),
      resident: [],
      counter: new OperationCounter(),
      uses: new KeyUses(),
      jobs: poolJobs(),
      clock: Date.now,
      random: randomBytes,
      settings: { defaultAlgorithm: resolveAlgorithm('aes-256-gcm'), requireFips: false },
    });
  }
  const [first] = nodes;
  if (first === undefined) throw new Error('there are no nodes');
  const tenantId = await addTenant(first.store, first.hierarchy);
  const admin = {
    tenantId,
    subject: newId(),
    permissions: effectivePermissions('tenant_admin', []),
    attributes: { ip: null, mfa: false },
  };
  const chain = await first.hierarchy.masterKeys(tenantId);
  const keyIds: string[] = [];
  for (let index = 0; index < KEYS; index += 1) {
    const { keyId } = await createKey({ kms: first, caller: admin }, {});
    await first.store.transact({ kind: 'tenant', tenantId }, async (unit) => {
      const record = await unit.keys.get(keyId, { lock: true });
      if (record === undefined) throw new Error('the key is not there');
      const rotation = { ...record.rotation, auto: true, periodSeconds: 86_400, nextRotationAt: new Date(0) };
      await unit.keys.update(chain.signRecord({ ...record, rotation, revision: 2 }), 1);
    });
    keyIds.push(keyId);
  }
  const reports = await Promise.all(
    [...nodes, ...nodes].map((node) =>
      runDueWork(operationOfService(node, 'runDueWork'), new AbortController().signal),
    ),
  );
  expect(reports.flatMap(({ failed }) => failed)).toEqual([]);
  expect(reports.reduce((sum, { rotated }) => sum + rotated, 0)).toBe(KEYS);
  for (const keyId of keyIds) {
    await expect(first.store.readKey(tenantId, keyId)).resolves.toMatchObject({
      currentVersion: 2,
      versions: { length: 2 },
    });
  }
  await Promise.all(opened.map(({ close }) => close()));
  await database.drop();
});
