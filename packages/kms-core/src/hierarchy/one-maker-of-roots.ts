import { randomInt } from 'node:crypto';
import { KmsError } from '../errors/kms-error.ts';
import { SYSTEM_TENANT } from '../model/identifiers.ts';
import type { ResidentKeyName } from '../ports/resident-keys.ts';
import type { ResidentClaim, Store, UnitOfWork } from '../ports/store.ts';

/** The id under which the claim to make roots is stored; no key has it. */
const PROVIDER = 'roots';
const KEY_ID = '00000000-0000-0000-0000-000000000000';
const OWNERS = 2 ** 31;
const RENEWED_EACH_MS = 2000;
/** A claim that was not renewed for this long belongs to a node that has ended. */
const OVER_AFTER_MS = 10_000;
const LOOK_EACH_MS = 250;

/**
 * Lets one node at a time make roots. An HSM takes longer than a unit of work may last, so no lock of the store can
 * be held in the meantime. Instead the maker renews a claim in the store, which is checked once more when the result is stored.
 *
 * @param work gets a function to call in the unit that stores what was made, under the lock of the roots
 * @throws KmsError `CONFLICT` from that function if the claim was lost: another node may be making roots
 */
export async function asOnlyMakerOfRoots<T>(
  store: Store,
  work: (stillOnly: (unit: UnitOfWork) => Promise<void>) => Promise<T>,
): Promise<T> {
  const own: ResidentKeyName = { tenantId: SYSTEM_TENANT, keyId: KEY_ID, version: randomInt(1, OWNERS) };
  while (!(await isTaken(store, own))) await new Promise((resolve) => setTimeout(resolve, LOOK_EACH_MS));
  // What cannot be renewed now is renewed the next time, or lost; the unit that stores finds out.
  const renewal = setInterval(() => void renew(store, own).catch(() => undefined), RENEWED_EACH_MS);
  try {
    return await work(async (unit) => {
      if (!(await release(unit, own)))
        throw new KmsError(
          'CONFLICT',
          'Creating the roots took so long that another node may have started to do so. Try again.',
        );
    });
  } finally {
    clearInterval(renewal);
    await giveUp(store, own);
  }
}

async function isTaken(store: Store, own: ResidentKeyName): Promise<boolean> {
  return store.transact({ kind: 'system' }, async (unit) => {
    await unit.tenants.lockRoots();
    for (const claim of await unit.residents.claims(PROVIDER)) {
      if (unit.now.getTime() - claim.claimedAt.getTime() < OVER_AFTER_MS) return false;
      await unit.residents.release(claim);
    }
    await unit.residents.claim({ providerId: PROVIDER, name: own, kind: 'create' });
    return true;
  });
}

async function renew(store: Store, own: ResidentKeyName): Promise<void> {
  await store.transact({ kind: 'system' }, async (unit) => {
    await unit.tenants.lockRoots();
    const claim = await find(unit, own);
    if (claim !== undefined) await unit.residents.renew(claim);
  });
}

/** The claim whose name is this owner's, as it was renewed last: under the lock of the roots nobody renews it. */
async function find(unit: UnitOfWork, own: ResidentKeyName): Promise<ResidentClaim | undefined> {
  return (await unit.residents.claims(PROVIDER)).find(({ name }) => name.version === own.version);
}

async function release(unit: UnitOfWork, own: ResidentKeyName): Promise<boolean> {
  const claim = await find(unit, own);
  return claim !== undefined && unit.residents.release(claim);
}

/** If the store does not answer, the claim expires on its own. */
async function giveUp(store: Store, own: ResidentKeyName): Promise<void> {
  try {
    await store.transact({ kind: 'system' }, async (unit) => {
      await unit.tenants.lockRoots();
      await release(unit, own);
    });
  } catch (error) {
    if (!KmsError.is(error)) throw error;
  }
}
