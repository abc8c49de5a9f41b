import { KmsError } from '../errors/kms-error.ts';
import { SYSTEM_TENANT } from '../model/identifiers.ts';
import { NO_FIELDS } from '../model/record-fields.ts';
import type { RootRecord } from '../model/tenant.ts';
import type { RootProvider } from '../ports/root-provider.ts';
import type { Store, UnitOfWork } from '../ports/store.ts';
import type { KeyHierarchy } from './key-hierarchy.ts';
import { asOnlyMakerOfRoots } from './one-maker-of-roots.ts';

/** Makes the root of a provider that has none yet. Only one node at a time calls it. */
export type MakeRoot = (provider: RootProvider) => Promise<void>;

/**
 * Makes sure, before anything is served, that the configured roots belong to this database. The first start makes the
 * roots that do not exist yet, stores the check value of each and makes the service's own master key. Every later start
 * compares the check values, and continues if at least one root answers.
 *
 * @throws KmsError `SEALED` naming the expected and the found check value when a root is another one, `HSM_UNAVAILABLE`
 *   when no root answers, or at the first start if any does not.
 */
export async function establishRoots(
  store: Store,
  hierarchy: KeyHierarchy,
  roots: readonly RootProvider[],
  makeRoot: MakeRoot = async () => undefined,
): Promise<void> {
  const inUse = await store.transact({ kind: 'system' }, (unit) => unit.tenants.roots());
  if (inUse.length > 0 || !(await initRoots(store, hierarchy, roots, makeRoot))) await compareRoots(store, hierarchy);
  await hierarchy.masterKeys(SYSTEM_TENANT);
}

/**
 * Starts using the configured roots in a database that has none, and makes the service's own master key. A root may take
 * longer than a unit of work may last, so everything is made first, and stored only if the database still has no roots by
 * then.
 *
 * @returns whether it did: `false` if roots are already in use, even because another node was faster
 * @throws KmsError `SEALED` when the database has tenants whose roots are gone.
 */
export async function initRoots(
  store: Store,
  hierarchy: KeyHierarchy,
  roots: readonly RootProvider[],
  makeRoot: MakeRoot,
): Promise<boolean> {
  return asOnlyMakerOfRoots(store, async (stillOnly) => {
    if (await store.transact({ kind: 'system' }, hasRoots)) return false;
    const made: RootRecord[] = [];
    for (const root of roots) {
      await makeRoot(root);
      made.push({ providerId: root.id, checkValue: await root.checkValue() });
    }
    const masterKey = await hierarchy.prepareMasterKey(SYSTEM_TENANT, made);
    return store.transact({ kind: 'system' }, async (unit) => {
      await unit.tenants.lockRoots();
      await stillOnly(unit);
      if (await hasRoots(unit)) return false;
      for (const root of made) await unit.tenants.addRoot(root);
      await unit.tenants.insert({
        tenantId: SYSTEM_TENANT,
        name: 'system',
        state: 'active',
        createdAt: unit.now,
        fields: NO_FIELDS,
        mac: null,
      });
      await masterKey.store(unit);
      return true;
    });
  });
}

/** Whether roots are in use. Throws if they once were and have disappeared. */
async function hasRoots(unit: UnitOfWork): Promise<boolean> {
  if ((await unit.tenants.roots()).length > 0) return true;
  if ((await unit.tenants.list({ limit: 1 })).items.length === 0) return false;
  throw new KmsError(
    'SEALED',
    'The database has tenants but names no root: it is damaged. Restore it from a backup; no new root is created for it.',
  );
}

async function compareRoots(store: Store, hierarchy: KeyHierarchy): Promise<void> {
  const inUse = await store.transact({ kind: 'system' }, (unit) => unit.tenants.roots());
  let away: KmsError | undefined;
  let ready = 0;
  for (const provider of hierarchy.roots.providers) {
    try {
      await hierarchy.roots.identify(provider, inUse);
      ready += 1;
    } catch (error) {
      if (!KmsError.is(error) || error.code !== 'HSM_UNAVAILABLE') throw error;
      if (!inUse.some((root) => root.providerId === provider.id))
        throw new KmsError(
          'SEALED',
          `The root ${provider.id} does not belong to this database. Add it as a provider first.`,
          {
            details: { providerId: provider.id },
            cause: error,
          },
        );
      away = error;
    }
  }
  if (ready === 0 && away !== undefined) throw away;
}
