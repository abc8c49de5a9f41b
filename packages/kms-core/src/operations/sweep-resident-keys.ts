import { checkInteger } from '../bounds/check-values.ts';
import { KmsError } from '../errors/kms-error.ts';
import type { KeyRecord } from '../model/key.ts';
import type { ResidentKeyName, ResidentKeyProvider, ResidentObject } from '../ports/resident-keys.ts';
import type { ResidentClaim, UnitOfWork } from '../ports/store.ts';
import type { Kms } from './kms.ts';
import type { Operation } from './operation.ts';

export interface SweepLimits {
  /** How long a claim may go without being renewed while a key is made in an HSM; an older one was left by a crash or a failure. */
  readonly createLimitSeconds: number;
  /** How long an object that no record knows is left alone: the database may have been restored to an earlier time. */
  readonly orphanGraceSeconds: number;
}

/** What one sweep found in one HSM. */
export interface SweepReport {
  readonly providerId: string;
  /** Whether the HSM answered; else nothing is known of it. */
  readonly answers: boolean;
  /** Objects that were destroyed: left by a crash, of destroyed keys, or unknown for longer than the grace period. */
  readonly destroyed: readonly ResidentKeyName[];
  /** Objects without a version that wait for the end of their time. */
  readonly waiting: number;
  /** Objects of tenants that this database never had: those of another service in the same HSM. Never touched. */
  readonly foreign: number;
  /** Versions in use whose object is not in the HSM: nothing brings them back but the HSM's own backup. */
  readonly missing: readonly ResidentKeyName[];
  /** Objects whose turn failed; they come up again. */
  readonly failed: readonly { readonly name: ResidentKeyName; readonly error: unknown }[];
}

/**
 * Reconciles each HSM with the database. Any number of nodes may do so at once: the claim of an object is released in a
 * unit before the object is destroyed, and a call that makes a key stores its version only in a unit that releases the
 * same claim, so that one of the two wins.
 */
export async function sweepResidentKeys({ kms }: Operation, limits: SweepLimits): Promise<readonly SweepReport[]> {
  checkLimits(limits);
  const reports: SweepReport[] = [];
  for (const provider of kms.resident) reports.push(await sweepOne(kms, provider, limits));
  return reports;
}

/** Whether a crash or a failure left something behind, so that a version cannot be made until it is swept. */
export async function isSweepDue({ kms }: Operation, limits: SweepLimits): Promise<boolean> {
  checkLimits(limits);
  const ids = kms.resident.map(({ id }) => id);
  return kms.store.transact({ kind: 'system' }, async (unit) => {
    for (const id of ids) {
      const claims = await unit.residents.claims(id);
      if (claims.some((claim) => claim.kind === 'create' && isOver(claim, unit.now, limits))) return true;
    }
    return false;
  });
}

function checkLimits({ createLimitSeconds, orphanGraceSeconds }: SweepLimits): void {
  checkInteger('createLimitSeconds', createLimitSeconds, 0, Number.MAX_SAFE_INTEGER);
  checkInteger('orphanGraceSeconds', orphanGraceSeconds, 0, Number.MAX_SAFE_INTEGER);
}

async function sweepOne(kms: Kms, provider: ResidentKeyProvider, limits: SweepLimits): Promise<SweepReport> {
  const providerId = provider.id;
  // Read before the objects are listed: every version stored by now has its object in that list.
  const versions = await kms.store.transact({ kind: 'system' }, (unit) => unit.residents.versions(providerId));
  const claims = await kms.store.transact({ kind: 'system' }, (unit) => unit.residents.claims(providerId));
  const objects = await listed(provider);
  if (objects === undefined)
    return { providerId, answers: false, destroyed: [], waiting: 0, foreign: 0, missing: [], failed: [] };
  const known = new Set(versions.map(objectOf));
  const present = new Set(objects.map(objectOf));
  const unknown = objects.filter((object) => !known.has(objectOf(object)));
  const unknownNames = new Set(unknown.map(({ name }) => nameOf(name)));
  const destroyed: ResidentKeyName[] = [];
  const failed: { name: ResidentKeyName; error: unknown }[] = [];
  const verdicts = { wait: 0, foreign: 0, keep: 0, destroy: 0 };
  for (const object of unknown) {
    try {
      const verdict = await judge(kms, providerId, object, limits);
      verdicts[verdict] += 1;
      if (verdict !== 'destroy') continue;
      await provider.destroy(object.handle);
      destroyed.push(object.name);
    } catch (error) {
      // One object that cannot be judged or destroyed must not keep the others from their turn; the report names it.
      failed.push({ name: object.name, error });
    }
  }
  await releaseVain(
    kms,
    claims.filter(({ name }) => !unknownNames.has(nameOf(name))),
    limits,
  );
  const missing = await stillMissing(
    kms,
    providerId,
    versions.filter((version) => !present.has(objectOf(version))),
  );
  return {
    providerId,
    answers: true,
    destroyed,
    waiting: verdicts.wait,
    foreign: verdicts.foreign,
    missing,
    failed,
  };
}

async function listed(provider: ResidentKeyProvider): Promise<readonly ResidentObject[] | undefined> {
  try {
    return await provider.list();
  } catch (error) {
    if (KmsError.is(error) && error.code === 'HSM_UNAVAILABLE') return undefined;
    throw error;
  }
}

/** What is to be done with an object that no version named a moment ago. */
async function judge(
  kms: Kms,
  providerId: string,
  object: ResidentObject,
  limits: SweepLimits,
): Promise<'keep' | 'wait' | 'foreign' | 'destroy'> {
  const { name } = object;
  const look = () =>
    kms.store.transact({ kind: 'system' }, async (unit) => ({
      tenant: await unit.tenants.get(name.tenantId),
      key: await unit.keys.get(name.keyId),
    }));
  const { tenant, key } = await look();
  if (tenant === undefined) return 'foreign';
  if (tenant.state === 'shredded') return 'destroy';
  // Only an authentic record may be a reason to destroy an object.
  const isDestroyed =
    key !== undefined &&
    (await kms.hierarchy.under(name.tenantId, async (chain) => {
      const now = (await look()).key ?? key;
      chain.verifyRecord(now);
      return now.state === 'destroyed';
    }));
  if (isDestroyed) return 'destroy';
  return kms.store.transact({ kind: 'system' }, async (unit) => {
    // First the claim: a call that makes a key releases it together with storing the version, so one of the two is seen.
    const claim = (await unit.residents.claims(providerId)).find((each) => nameOf(each.name) === nameOf(name));
    if (isStored(await unit.keys.get(name.keyId), providerId, object)) return 'keep';
    if (claim === undefined) {
      await noteOrphan(unit, providerId, name);
      return 'wait';
    }
    if (!isOver(claim, unit.now, limits)) return 'wait';
    return (await unit.residents.release(claim)) ? 'destroy' : 'keep';
  });
}

/** Whether a version is exactly this object: an HSM that answered too late may have made a second one of the same name. */
function isStored(key: KeyRecord | undefined, providerId: string, { name, handle }: ResidentObject): boolean {
  return (
    key?.versions.some(
      ({ version, provider, material }) =>
        version === name.version &&
        provider === providerId &&
        material.kind === 'resident' &&
        Buffer.compare(material.handle, handle) === 0,
    ) ?? false
  );
}

async function noteOrphan(unit: UnitOfWork, providerId: string, name: ResidentKeyName): Promise<void> {
  try {
    await unit.residents.claim({ providerId, name, kind: 'orphan' });
  } catch (error) {
    // Another node noted it at the same moment, or the key is being made.
    if (!KmsError.is(error) || error.code !== 'CONFLICT') throw error;
  }
}

function isOver(claim: ResidentClaim, now: Date, limits: SweepLimits): boolean {
  const seconds = claim.kind === 'create' ? limits.createLimitSeconds : limits.orphanGraceSeconds;
  return now.getTime() - claim.claimedAt.getTime() >= seconds * 1000;
}

/**
 * Releases claims that protect nothing: those of calls that made no object, of objects that have gone in the meantime, and
 * of objects that a version names. The claims were read before the objects were listed, which may have taken long: one that
 * was renewed since counts as another claim and stays.
 */
async function releaseVain(kms: Kms, claims: readonly ResidentClaim[], limits: SweepLimits): Promise<void> {
  for (const claim of claims) {
    await kms.store.transact({ kind: 'system' }, async (unit) => {
      if (isOver(claim, unit.now, { ...limits, orphanGraceSeconds: limits.createLimitSeconds }))
        await unit.residents.release(claim);
    });
  }
}

async function stillMissing(
  kms: Kms,
  providerId: string,
  absent: readonly ResidentObject[],
): Promise<readonly ResidentKeyName[]> {
  const missing: ResidentKeyName[] = [];
  for (const object of absent) {
    const { name } = object;
    const gone = await kms.store.transact({ kind: 'system' }, async (unit) => {
      const key = await unit.keys.get(name.keyId);
      const ending = key?.destroyAt !== null && key !== undefined && key.destroyAt <= unit.now;
      return isStored(key, providerId, object) && !ending;
    });
    if (gone) missing.push(name);
  }
  return missing;
}

function objectOf({ name, handle }: ResidentObject): string {
  return `${nameOf(name)}/${Buffer.from(handle).toString('hex')}`;
}

function nameOf({ tenantId, keyId, version }: ResidentKeyName): string {
  return `${tenantId}/${keyId}/${version}`;
}
