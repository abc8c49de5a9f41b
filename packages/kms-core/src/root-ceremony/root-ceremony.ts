import { KmsError } from '../errors/kms-error.ts';
import { initRoots, type MakeRoot } from '../hierarchy/establish-roots.ts';
import type { KeyHierarchy } from '../hierarchy/key-hierarchy.ts';
import { asOnlyMakerOfRoots } from '../hierarchy/one-maker-of-roots.ts';
import { isMissing } from '../hierarchy/root-set.ts';
import type { RootRecord } from '../model/tenant.ts';
import type { Operation } from '../operations/operation.ts';
import type { RootProvider } from '../ports/root-provider.ts';
import type { Store, UnitOfWork } from '../ports/store.ts';
import { completeWrapsUnder } from './complete-wraps.ts';
import type { RootParts } from './root-parts.ts';

/** What the operations on roots work with. They run on the host, with the service running or not. */
export interface RootCeremony extends RootParts {
  /** Over every configured root, those that are to be added included. */
  readonly hierarchy: KeyHierarchy;
  /** Makes the root of a provider that has none; does nothing where there is one. */
  readonly makeRoot: MakeRoot;
}

/** A root in use, or a configured one. */
export interface RootReport {
  readonly providerId: string;
  /** `null` when the provider does not answer or has no root. */
  readonly checkValue: string | null;
  readonly inUse: boolean;
  readonly configured: boolean;
  readonly answers: boolean;
  /** How many versions of master keys it wraps. */
  readonly wraps: number;
}

export interface RootsReport {
  /** How many versions of master keys there are: a root that wraps them all opens the whole database. */
  readonly masterKeys: number;
  readonly roots: readonly RootReport[];
}

/** Which roots the database uses and which are configured. Changes nothing. */
export async function rootStatus({ kms }: Operation<RootParts>): Promise<RootsReport> {
  const { store, hierarchy } = kms;
  const { total, byRoot } = await store.transact({ kind: 'system' }, (unit) => unit.tenants.countMasterKeys());
  const configured = await Promise.all(hierarchy.roots.providers.map(presentRoot));
  const known = byRoot.map(({ providerId, checkValue, wraps }): RootReport => {
    const present = configured.find((root) => root.providerId === providerId && root.checkValue === checkValue);
    const silent = configured.some((root) => root.providerId === providerId && !root.answers);
    return {
      providerId,
      checkValue,
      inUse: true,
      configured: present !== undefined || silent,
      answers: present !== undefined,
      wraps,
    };
  });
  const unknown = configured.filter(
    ({ providerId, checkValue, answers }) =>
      !byRoot.some((root) => root.providerId === providerId && (!answers || root.checkValue === checkValue)),
  );
  return {
    masterKeys: total,
    roots: [...known, ...unknown.map((root) => ({ ...root, inUse: false, configured: true, wraps: 0 }))],
  };
}

async function presentRoot(provider: RootProvider): Promise<Pick<RootReport, 'providerId' | 'checkValue' | 'answers'>> {
  try {
    return { providerId: provider.id, checkValue: await provider.checkValue(), answers: true };
  } catch (error) {
    if (!KmsError.is(error)) throw error;
    return { providerId: provider.id, checkValue: null, answers: error.code !== 'HSM_UNAVAILABLE' };
  }
}

/**
 * Starts using the configured roots in a fresh database.
 *
 * @throws KmsError `CONFLICT` when the database has roots already.
 */
export async function initialiseRoots(op: Operation<RootCeremony>): Promise<RootsReport> {
  const { store, hierarchy, makeRoot } = op.kms;
  if (!(await initRoots(store, hierarchy, hierarchy.roots.providers, makeRoot)))
    throw new KmsError('CONFLICT', 'The database already has its roots; a root is created only for a fresh database.');
  return rootStatus(op);
}

export interface AddRootInput {
  /** A configured provider. */
  readonly providerId: string;
}

export interface AddedRoot {
  readonly root: RootRecord;
  /** How many master keys this run wrapped under it. */
  readonly added: number;
}

/**
 * Adds the root of a configured provider and wraps every master key under it. The next run continues where an
 * interrupted one stopped.
 *
 * @throws KmsError `NOT_FOUND` when no provider has this name, `SEALED` when the database has no roots yet,
 *   `HSM_UNAVAILABLE` when the new root, or every one that opens a master key, does not answer.
 */
export async function addRoot({ kms }: Operation<RootCeremony>, { providerId }: AddRootInput): Promise<AddedRoot> {
  const { store, hierarchy, makeRoot } = kms;
  const provider = configuredProvider(hierarchy, providerId);
  const root = await asOnlyMakerOfRoots(store, async (stillOnly) => {
    // A provider whose root is in use gets no other one here: what is missing is then an error, not to be papered over.
    if (!isProviderOf(await rootsInUse(store), providerId)) await makeRoot(provider);
    const present: RootRecord = { providerId, checkValue: await provider.checkValue() };
    await store.transact({ kind: 'system' }, async (unit) => {
      await unit.tenants.lockRoots();
      await stillOnly(unit);
      const own = (await requireRoots(unit)).filter((each) => each.providerId === providerId);
      if (own.length === 0) await unit.tenants.addRoot(present);
      else if (!own.some((each) => each.checkValue === present.checkValue))
        throw new KmsError(
          'SEALED',
          `The provider ${providerId} is in use with the root ${own.map((each) => each.checkValue).join(' or ')}, and the configured one is ${present.checkValue}: rotate instead of adding.`,
        );
    });
    return present;
  });
  return { root, added: await wrapEverything(kms, provider) };
}

export interface RotateRootInput {
  /** The new root, under the name of its provider; one of those of the hierarchy. */
  readonly next: RootProvider;
}

/**
 * Adds a new root of a provider beside the one that it replaces, and wraps every master key under it. The old one stays
 * in use until {@link retireRoot}. The next run continues where an interrupted one stopped.
 *
 * @throws KmsError `NOT_FOUND` when the provider has no root in use; else as {@link addRoot}.
 */
export async function rotateRoot({ kms }: Operation<RootCeremony>, { next }: RotateRootInput): Promise<AddedRoot> {
  const { store, hierarchy, makeRoot } = kms;
  if (!hierarchy.roots.providers.includes(next)) throw new RangeError('the new root is not one of the hierarchy');
  const root = await asOnlyMakerOfRoots(store, async (stillOnly) => {
    requireProvider(await rootsInUse(store), next.id);
    await makeRoot(next);
    const present: RootRecord = { providerId: next.id, checkValue: await next.checkValue() };
    await store.transact({ kind: 'system' }, async (unit) => {
      await unit.tenants.lockRoots();
      await stillOnly(unit);
      const inUse = await requireRoots(unit);
      requireProvider(inUse, next.id);
      if (!inUse.some((each) => each.providerId === next.id && each.checkValue === present.checkValue))
        await unit.tenants.addRoot(present);
    });
    return present;
  });
  return { root, added: await wrapEverything(kms, next) };
}

/** Without the lock: what depends on it is checked again in the unit that stores. */
function rootsInUse(store: Store): Promise<readonly RootRecord[]> {
  return store.transact({ kind: 'system' }, requireRoots);
}

async function requireRoots(unit: UnitOfWork): Promise<readonly RootRecord[]> {
  const inUse = await unit.tenants.roots();
  if (inUse.length === 0) throw new KmsError('SEALED', 'The database has no roots yet: initialise them first.');
  return inUse;
}

function isProviderOf(inUse: readonly RootRecord[], providerId: string): boolean {
  return inUse.some((root) => root.providerId === providerId);
}

function requireProvider(inUse: readonly RootRecord[], providerId: string): void {
  if (!isProviderOf(inUse, providerId))
    throw new KmsError('NOT_FOUND', `The provider ${providerId} has no root in use that could be rotated.`);
}

/** The caller that adds a root must know which master keys it does not open. */
async function wrapEverything(kms: RootParts, provider: RootProvider): Promise<number> {
  const { added, failed } = await completeWrapsUnder(kms, provider);
  const [first] = failed;
  if (first === undefined) return added;
  const closed = failed.filter(({ error }) => !isMissing(error));
  if (closed.length === 0) throw first.error;
  const tenants = closed.map(({ name }) => name.tenantId).join(', ');
  throw new KmsError(
    'INTERNAL_ERROR',
    `The root ${provider.id} is in use and wraps every master key that opens; no root opens those of ${tenants}.`,
    { cause: closed[0]?.error },
  );
}

export interface RetireRootInput {
  readonly providerId: string;
  /** Which root, for a provider that has two; default: the only one. */
  readonly checkValue?: string | undefined;
}

/**
 * Retires a root and removes its wraps.
 *
 * @throws KmsError `NOT_FOUND` when it is not in use; `CONFLICT` when it is the last one, the only one that wraps some
 *   master key, or when keys live in the HSM of a provider that has no other root.
 */
export async function retireRoot(
  { kms }: Operation<Pick<RootParts, 'store'>>,
  { providerId, checkValue }: RetireRootInput,
): Promise<RootRecord> {
  return kms.store.transact({ kind: 'system' }, async (unit) => {
    await unit.tenants.lockRoots();
    const own = (await unit.tenants.roots()).filter((root) => root.providerId === providerId);
    const [root, ...more] = own.filter((each) => checkValue === undefined || each.checkValue === checkValue);
    if (root === undefined) throw new KmsError('NOT_FOUND', `No root ${providerId} ${checkValue ?? ''} is in use.`);
    if (more.length > 0)
      throw new KmsError(
        'CONFLICT',
        `The provider ${providerId} has the roots ${own.map((each) => each.checkValue).join(' and ')}: say which.`,
      );
    const resident = own.length > 1 ? [] : await unit.residents.versions(providerId);
    if (resident.length > 0)
      throw new KmsError(
        'CONFLICT',
        `${resident.length} key version(s) live in the HSM ${providerId}: rotate and destroy those keys first.`,
        { details: { residentVersions: resident.length } },
      );
    await unit.tenants.removeRoot(root);
    return root;
  });
}

function configuredProvider(hierarchy: KeyHierarchy, providerId: string): RootProvider {
  const provider = hierarchy.roots.providers.find((candidate) => candidate.id === providerId);
  if (provider === undefined)
    throw new KmsError(
      'NOT_FOUND',
      `No provider ${providerId} is configured; there is ${hierarchy.roots.providers.map((each) => each.id).join(', ')}.`,
    );
  return provider;
}
