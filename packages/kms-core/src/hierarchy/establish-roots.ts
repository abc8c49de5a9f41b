import { KmsError } from '../errors/kms-error.ts';
import { SYSTEM_TENANT } from '../model/identifiers.ts';
import type { RootProvider } from '../ports/root-provider.ts';
import type { Store } from '../ports/store.ts';
import type { KeyHierarchy } from './key-hierarchy.ts';

/**
 * Makes sure, before anything is served, that the configured roots are those of this database: the first start stores
 * the check value of each root and makes the service's own master key; every later start compares.
 *
 * @throws KmsError `SEALED` naming the expected and the found check value when a root is another one.
 */
export async function establishRoots(
  store: Store,
  hierarchy: KeyHierarchy,
  roots: readonly RootProvider[],
): Promise<void> {
  const found = await Promise.all(
    roots.map(async (root) => ({ providerId: root.id, checkValue: await root.checkValue() })),
  );
  await store.transact({ kind: 'system' }, async (unit) => {
    await unit.tenants.lockRoots();
    const expected = await unit.tenants.roots();
    if (expected.length === 0) {
      for (const root of found) await unit.tenants.addRoot(root);
      await unit.tenants.insert({ tenantId: SYSTEM_TENANT, name: 'system', state: 'active', createdAt: unit.now });
      await hierarchy.createMasterKey(unit, SYSTEM_TENANT);
      return;
    }
    for (const root of found) {
      const known = expected.find((candidate) => candidate.providerId === root.providerId);
      if (known === undefined) {
        throw new KmsError(
          'SEALED',
          `The root ${root.providerId} is not one of this database (${expected.map((one) => one.providerId).join(', ')}). Add it as a provider first.`,
        );
      }
      if (known.checkValue !== root.checkValue) {
        throw new KmsError(
          'SEALED',
          `The root ${root.providerId} is another one: the database expects the check value ${known.checkValue}, the configured root has ${root.checkValue}. Configure the root that this database was made with; a new root can not open its keys.`,
        );
      }
    }
  });
  await hierarchy.masterKeys(SYSTEM_TENANT);
}
