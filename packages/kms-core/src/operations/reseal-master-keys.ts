import { KmsError } from '../errors/kms-error.ts';
import { NewerMasterKey } from '../errors/newer-master-key.ts';
import { IdentityAuthority } from '../hierarchy/identity-authority.ts';
import type { MasterKeyChain } from '../hierarchy/master-key-chain.ts';
import { NewerRecord } from '../hierarchy/record-formats.ts';
import { resealRetired, retireMasterKey } from '../hierarchy/retired-master-key.ts';
import { TenantAuthority } from '../hierarchy/tenant-authority.ts';
import { SYSTEM_TENANT, type TenantId } from '../model/identifiers.ts';
import type { KeyRecord } from '../model/key.ts';
import { fieldOf, TENANT_RETIRED_MASTER_KEYS, withField } from '../model/record-fields.ts';
import type { UnitOfWork } from '../ports/store.ts';
import { Turns } from '../scheduling/turns.ts';
import { faultOf, reportForged } from './authentic-records.ts';
import { OPERATIONS } from './catalog.ts';
import type { Kms } from './kms.ts';
import { type Operation, unattended } from './operation.ts';

/** What one run did. */
export interface ResealReport {
  /** How many keys, bindings and denials were sealed again. */
  readonly resealed: number;
  /** The tenants of which the earlier versions of the master key were destroyed. */
  readonly retired: readonly TenantId[];
  /** How many records were left as they are, because they are not authentic. They keep the earlier versions. */
  readonly kept: number;
  /** Tenants whose turn failed; they come up again at the next run. */
  readonly failed: readonly { readonly tenantId: TenantId; readonly error: unknown }[];
}

const TENANTS_PER_PAGE = 200;
/** How many keys, bindings and denials one unit of work seals again: it holds their records until it ends. */
const KEYS_PER_UNIT = 20;
const IDENTITIES_PER_UNIT = 100;
/** A unit takes no further key after this many versions. */
const VERSIONS_PER_UNIT = 500;
/** How many records that cannot be sealed again a run passes over before it leaves the tenant to the next one. */
const MOST_KEPT = 1000;

/**
 * Of each tenant that still has an earlier version of its master key, the ids of the records that were reported as forged: runs that share
 * it report each of them once.
 */
export type ReportedRecords = Map<TenantId, Set<string>>;

/** What is to be done for one tenant. */
interface Work {
  readonly tenantId: TenantId;
  /** The ids of records that cannot be sealed again. */
  readonly kept: string[];
  readonly reported: Set<string>;
}

/**
 * Seals everything again that is under an earlier version of the master key of its tenant, and destroys those versions when nothing is
 * left under them. Any number of nodes may do so at once, and be ended at any moment: each unit of work takes some records that no other
 * has, and what is done is what the records say. Tenants take turns.
 *
 * @param signal ends the run after the unit of work that it is at
 * @param reported what earlier runs reported; default: nothing
 */
export async function resealMasterKeys(
  service: Operation,
  signal: AbortSignal,
  reported: ReportedRecords = new Map(),
): Promise<ResealReport> {
  const { kms } = service;
  let resealed = 0;
  let kept = 0;
  const retired: TenantId[] = [];
  const failed: { tenantId: TenantId; error: unknown }[] = [];
  let queue = await unfinished(kms, reported);
  while (queue.length > 0 && !signal.aborted) {
    const next: Work[] = [];
    for (const work of queue) {
      if (signal.aborted) break;
      try {
        const step = await resealSome(kms, work);
        resealed += step.resealed;
        if (step.locked > 0 && work.kept.length < MOST_KEPT) next.push(work);
        else {
          kept += work.kept.length;
          if (await retire(service, work.tenantId)) retired.push(work.tenantId);
        }
      } catch (error) {
        const { tenantId } = work;
        // A tenant that was shredded meanwhile has nothing that is to be sealed again.
        const mayBe = KmsError.is(error) && (error.code === 'NOT_FOUND' || error.code === 'CONFLICT');
        if (!mayBe || !(await isShredded(kms, tenantId))) failed.push({ tenantId, error });
      }
    }
    queue = next;
  }
  return { resealed, retired, kept, failed };
}

async function unfinished({ store }: Kms, reported: ReportedRecords): Promise<readonly Work[]> {
  const found: TenantId[] = [];
  for (let more = true; more; ) {
    const after = found.at(-1) ?? null;
    const page = await store.transact({ kind: 'system' }, (unit) => unit.seals.unfinished(TENANTS_PER_PAGE, after));
    found.push(...page);
    more = page.length === TENANTS_PER_PAGE;
  }
  const before = new Map(reported);
  reported.clear();
  for (const tenantId of found) reported.set(tenantId, before.get(tenantId) ?? new Set());
  return [...reported].map(([tenantId, ids]) => ({ tenantId, kept: [], reported: ids }));
}

async function isShredded({ store }: Kms, tenantId: TenantId): Promise<boolean> {
  const tenant = await store.transact({ kind: 'system' }, (unit) => unit.tenants.get(tenantId));
  return tenant === undefined || tenant.state === 'shredded';
}

/** What one unit of work did. */
interface Step {
  /** How many records it had. */
  readonly locked: number;
  readonly resealed: number;
}

async function resealSome(kms: Kms, { tenantId, kept, reported }: Work): Promise<Step> {
  return kms.hierarchy.under(tenantId, (chain, isNewest) =>
    kms.store.transact({ kind: 'tenant', tenantId }, async (unit) => {
      const passOver = (id: string, what: string, error: unknown) => {
        if (!KmsError.is(error) || error.code !== 'INTERNAL_ERROR') throw error;
        if (NewerMasterKey.is(error) && !isNewest) throw error;
        kept.push(id);
        if (error instanceof NewerRecord || reported.has(id)) return;
        reported.add(id);
        reportForged(kms, `The stored record of the ${what} ${id} ${faultOf(error)}; it is not sealed again.`, error);
      };
      const ofKeys = await resealKeys(unit, chain, kept, passOver);
      const ofIdentities = await resealIdentities(unit, chain, kept, passOver);
      return { locked: ofKeys.locked + ofIdentities.locked, resealed: ofKeys.resealed + ofIdentities.resealed };
    }),
  );
}

type PassOver = (id: string, what: string, error: unknown) => void;

async function resealKeys(
  unit: UnitOfWork,
  chain: MasterKeyChain,
  kept: readonly string[],
  passOver: PassOver,
): Promise<Step> {
  const { tenantId, version } = chain.current;
  const turns = new Turns(tenantId);
  const locked = await unit.seals.lockKeys(tenantId, version, KEYS_PER_UNIT, kept);
  let versions = 0;
  let resealed = 0;
  for (const key of locked) {
    if (versions >= VERSIONS_PER_UNIT) break;
    await turns.pause();
    let next: KeyRecord;
    try {
      next = chain.resealRecord(key);
    } catch (error) {
      passOver(key.keyId, 'key', error);
      continue;
    }
    versions += key.versions.length;
    await unit.seals.resealKey(next);
    resealed += 1;
  }
  return { locked: locked.length, resealed };
}

async function resealIdentities(
  unit: UnitOfWork,
  chain: MasterKeyChain,
  kept: readonly string[],
  passOver: PassOver,
): Promise<Step> {
  const { tenantId, version } = chain.current;
  const authority = new IdentityAuthority(chain);
  const locked = await unit.seals.lockIdentities(tenantId, version, IDENTITIES_PER_UNIT, kept);
  const again = <Record>(
    records: readonly Record[],
    reseal: (record: Record) => Record,
    failed: (record: Record, error: unknown) => void,
  ) =>
    records.flatMap((record) => {
      try {
        return [reseal(record)];
      } catch (error) {
        failed(record, error);
        return [];
      }
    });
  const next = {
    bindings: again(
      locked.bindings,
      (binding) => authority.resealBinding(binding),
      ({ bindingId }, error) => passOver(bindingId, 'identity binding', error),
    ),
    denials: again(
      locked.denials,
      (denial) => authority.resealDenial(denial),
      ({ denialId }, error) => passOver(denialId, 'identity denial', error),
    ),
  };
  await unit.seals.resealIdentities(next);
  return {
    locked: locked.bindings.length + locked.denials.length,
    resealed: next.bindings.length + next.denials.length,
  };
}

/**
 * Destroys the earlier versions of a tenant's master key, if nothing is left under them. What is under them for a day at most stays
 * readable: only the keys for that are left, sealed under the newest version.
 */
async function retire(service: Operation, tenantId: TenantId): Promise<boolean> {
  const { kms } = service;
  const { evidence } = unattended(service, 'resealMasterKeys', tenantId);
  const authority = new TenantAuthority(await kms.hierarchy.masterKeys(SYSTEM_TENANT));
  try {
    return await kms.hierarchy.under(tenantId, (chain) =>
      kms.store.transact({ kind: 'system' }, async (unit) => {
        const tenant = await unit.tenants.get(tenantId, { lock: true });
        if (tenant === undefined || tenant.state === 'shredded') return false;
        authority.verify(tenant, false);
        const stored = new Set((await unit.tenants.masterKeyWraps(tenantId)).map(({ tmkVersion }) => tmkVersion));
        const newest = Math.max(...stored);
        if (chain.isBehind(newest))
          throw new NewerMasterKey('INTERNAL_ERROR', `Version ${newest} of the tenant master key is missing.`);
        const old = [...stored].filter((version) => version < newest).sort((a, b) => a - b);
        if (old.length === 0 || (await unit.seals.count(tenantId, newest)).left > 0) return false;
        const before = fieldOf(tenant.fields, TENANT_RETIRED_MASTER_KEYS) ?? [];
        const left = [
          ...before.filter(({ until }) => until > unit.now.getTime()).map((earlier) => resealRetired(chain, earlier)),
          ...old.map((version) => retireMasterKey(chain, chain.version(version), unit.now)),
        ];
        await unit.tenants.setFields(
          authority.sign({ ...tenant, fields: withField(tenant.fields, TENANT_RETIRED_MASTER_KEYS, left) }),
        );
        await unit.seals.retire(tenantId, newest);
        await evidence?.changed(unit, {
          eventType: OPERATIONS.resealMasterKeys.event,
          resource: { type: 'tenant', id: tenantId, version: null },
          before: { masterKeyVersions: [...old, newest].map(String) },
          after: { masterKeyVersions: [String(newest)] },
        });
        return true;
      }),
    );
  } finally {
    // Even if it failed: the answer to a commit can be lost.
    kms.hierarchy.forget(tenantId);
  }
}
