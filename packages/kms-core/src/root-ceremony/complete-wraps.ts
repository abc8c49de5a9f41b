import { KmsError } from '../errors/kms-error.ts';
import { NEWEST_FORMAT } from '../hierarchy/record-formats.ts';
import { isMissing } from '../hierarchy/root-set.ts';
import type { MasterKeyName } from '../model/tenant.ts';
import type { Operation } from '../operations/operation.ts';
import type { RootProvider } from '../ports/root-provider.ts';
import type { RootParts } from './root-parts.ts';

const KEYS_PER_STEP = 100;

/**
 * Asks every configured root whether it answers and is one of this database; `hierarchy.roots.status()` then says so.
 *
 * @returns the providers that do
 */
export async function checkRoots({ kms }: Operation<RootParts>): Promise<readonly RootProvider[]> {
  const { store, hierarchy } = kms;
  const inUse = await store.transact({ kind: 'system' }, (unit) => unit.tenants.roots());
  const ready: RootProvider[] = [];
  for (const provider of hierarchy.roots.providers) {
    try {
      await hierarchy.roots.identify(provider, inUse);
      ready.push(provider);
    } catch (error) {
      // What is wrong with it is in its status, and was said in an alert.
      if (!isMissing(error)) throw error;
    }
  }
  return ready;
}

/** What was added under one root. */
export interface CompletedWraps {
  readonly providerId: string;
  readonly added: number;
  /** Master keys that were skipped, because no root opens them: `HSM_UNAVAILABLE` for those whose roots are away. */
  readonly failed: readonly FailedWrap[];
}

/** A master key that could not be wrapped again, and why. */
export interface FailedWrap {
  readonly name: MasterKeyName;
  readonly error: KmsError;
}

/**
 * Gives every root that answers the wraps that it lacks: of master keys that were made while it was away. Any number of
 * nodes may do so at once, and the next run continues where an interrupted one stopped.
 */
export async function completeWraps({ kms }: Operation<RootParts>): Promise<readonly CompletedWraps[]> {
  const completed: CompletedWraps[] = [];
  for (const provider of kms.hierarchy.roots.providers) {
    try {
      completed.push({ providerId: provider.id, ...(await completeWrapsUnder(kms, provider)) });
    } catch (error) {
      // A root that is away, or not of this database, lacks its wraps until it is back; its status says so.
      if (!isMissing(error)) throw error;
    }
  }
  return completed.filter(({ added, failed }) => added + failed.length > 0);
}

/**
 * Wraps every master key that has no wrap under the present root of a provider. One that does not open keeps no other
 * from its turn.
 *
 * @throws KmsError as `RootSet.identify`.
 */
export async function completeWrapsUnder(
  kms: RootParts,
  provider: RootProvider,
): Promise<Omit<CompletedWraps, 'providerId'>> {
  const { store, hierarchy } = kms;
  const inUse = await store.transact({ kind: 'system' }, (unit) => unit.tenants.roots());
  const root = await hierarchy.roots.identify(provider, inUse);
  const failed: FailedWrap[] = [];
  let added = 0;
  for (;;) {
    const lacking = await store.transact({ kind: 'system' }, (unit) =>
      unit.tenants.masterKeysLacking(root, KEYS_PER_STEP + failed.length),
    );
    let addedNow = 0;
    const failedBefore = failed.length;
    for (const name of lacking.filter((each) => !failed.some((before) => isSame(before.name, each)))) {
      try {
        const outcome = await wrapAgain(kms, provider, name);
        if (outcome === 'added') addedNow += 1;
        else if (outcome !== 'not needed') failed.push({ name, error: outcome });
      } catch (error) {
        if (!KmsError.is(error) || error.code !== 'INTERNAL_ERROR') throw error;
        failed.push({ name, error });
      }
    }
    added += addedNow;
    // What is still missing cannot be opened, belongs to tenants that were shredded in the meantime, or is being added
    // by another node.
    if (addedNow === 0 && failed.length === failedBefore) return { added, failed };
  }
}

function isSame(a: MasterKeyName, b: MasterKeyName): boolean {
  return a.tenantId === b.tenantId && a.tmkVersion === b.tmkVersion;
}

/** Answers with the error of a master key whose roots are away: that of the provider that gets the wrap is thrown. */
async function wrapAgain(
  { store, hierarchy }: RootParts,
  provider: RootProvider,
  { tenantId, tmkVersion }: MasterKeyName,
): Promise<'added' | 'not needed' | KmsError> {
  const [inUse, wraps] = await store.transact({ kind: 'system' }, async (unit) => [
    await unit.tenants.roots(),
    await unit.tenants.masterKeyWraps(tenantId),
  ]);
  if (wraps.length === 0) return 'not needed';
  const masterKey = await hierarchy.roots.open(tenantId, tmkVersion, wraps).catch((error: unknown) => {
    if (isMissing(error)) return error;
    throw error;
  });
  if (KmsError.is(masterKey)) return masterKey;
  const bytes = masterKey.key.export();
  try {
    const format = masterKey.tenantHasMac ? NEWEST_FORMAT : 1;
    const wrap = await hierarchy.roots.wrapUnder(provider, inUse, tenantId, tmkVersion, bytes, format);
    return await store.transact({ kind: 'system' }, async (unit) => {
      // Its wraps may have got a new format since they were read: one of the old format must not come back beside them.
      await unit.tenants.get(tenantId, { lock: true });
      const now = await unit.tenants.masterKeyWraps(tenantId);
      if (now.some((other) => other.format !== wrap.format)) return 'not needed';
      // This version may have been destroyed meanwhile, and must not come back.
      if (!now.some((other) => other.tmkVersion === tmkVersion)) return 'not needed';
      await unit.tenants.addMasterKeyWraps([wrap]);
      return 'added';
    });
  } catch (error) {
    // Another node was faster, or the tenant or the root has gone in the meantime.
    if (KmsError.is(error) && error.code === 'CONFLICT') return 'not needed';
    throw error;
  } finally {
    bytes.fill(0);
  }
}
