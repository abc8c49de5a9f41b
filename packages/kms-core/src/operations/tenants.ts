import { requireOwnTenant, requirePermission } from '../access/caller.ts';
import { BOUNDS } from '../bounds/bounds.ts';
import { checkIdempotency } from '../bounds/check-change.ts';
import { checkId, checkInteger, checkLine } from '../bounds/check-values.ts';
import { badRequest, KmsError } from '../errors/kms-error.ts';
import type { PreparedMasterKey } from '../hierarchy/key-hierarchy.ts';
import type { MasterKeyChain } from '../hierarchy/master-key-chain.ts';
import { TenantAuthority } from '../hierarchy/tenant-authority.ts';
import { TokenAuthority } from '../hierarchy/token-authority.ts';
import { fieldFacts } from '../evidence/field-facts.ts';
import type { RecordedChange } from '../evidence/operation-evidence.ts';
import { isVersionedUuid, newId, SYSTEM_TENANT, type TenantId } from '../model/identifiers.ts';
import type { ApiTokenRecord } from '../access/api-token.ts';
import { KNOWN_FIELDS, NO_FIELDS } from '../model/record-fields.ts';
import { Turns } from '../scheduling/turns.ts';
import type { TenantRecord } from '../model/tenant.ts';
import type { TenantQuery, UnitOfWork } from '../ports/store.ts';
import { OPERATIONS } from './catalog.ts';
import { authenticOf } from './authentic-records.ts';
import {
  checkToken,
  type CreateApiTokenInput,
  endedToken,
  makeToken,
  type ShownOnce,
  tokenCreated,
} from './api-tokens.ts';
import { describeTenant, type TenantDescription } from '../model/describe-tenant.ts';
import { listCursors } from './list-cursor.ts';
import { destroyResidentOfTenant } from './destroy-resident.ts';
import type { Kms } from './kms.ts';
import { ofTenant } from './of-tenant.ts';
import { type Operation, unattended } from './operation.ts';
import { type Approvals, withApprovals } from './require-approval.ts';
import { runOnce } from './run-once.ts';

/** What a new tenant is called. */
export interface CreateTenantInput {
  readonly tenantId?: TenantId;
  readonly name: string;
}

/** Creates a tenant with its master key. */
export async function createTenant(op: Operation, input: CreateTenantInput): Promise<TenantDescription> {
  const { kms, caller } = op;
  requirePermission(caller, OPERATIONS.createTenant.permission);
  if (input.tenantId !== undefined) checkId('tenantId', input.tenantId);
  checkLine('name', input.name, BOUNDS.nameCharacters);
  checkIdempotency(op.idempotency);
  const chain = await kms.hierarchy.masterKeys(SYSTEM_TENANT);
  const tenantId = input.tenantId ?? newId();
  if (!isVersionedUuid(tenantId))
    throw badRequest('tenantId', 'must be a UUID of version 1 to 8 and the variant of RFC 9562');
  const masterKey = await prepared(kms.hierarchy.prepareMasterKey(tenantId));
  return kms.store.transact({ kind: 'system' }, (unit) =>
    runOnce(op, { unit, chain, what: 'create-tenant' }, async () => {
      const tenant = newTenant(chain, tenantId, input.name, unit.now);
      await unit.tenants.insert(tenant);
      await masterKey.store(unit);
      await op.evidence?.changed(unit, tenantCreated(tenant));
      return describeTenant(tenant);
    }),
  );
}

/** A call that needs no new master key, such as a repeated one, is answered even while none can be made. */
async function prepared(masterKey: Promise<PreparedMasterKey>): Promise<PreparedMasterKey> {
  try {
    return await masterKey;
  } catch (error) {
    if (!KmsError.is(error)) throw error;
    return {
      store: async () => {
        throw error;
      },
    };
  }
}

/** The record of a tenant that is made. */
function newTenant(system: MasterKeyChain, tenantId: TenantId, name: string, createdAt: Date): TenantRecord {
  return new TenantAuthority(system).sign({ tenantId, name, state: 'active', createdAt, fields: NO_FIELDS });
}

export interface ListTenantsInput {
  /** From 1 to 200; default: 50. */
  readonly limit?: number;
  readonly cursor?: string;
}

/** All tenants. */
export interface ListTenantsResult {
  readonly items: readonly TenantDescription[];
  /** Where the next page starts; `null` on the last page. */
  readonly nextCursor: string | null;
  /** Names the tenants whose stored record was changed by somebody else. */
  readonly warnings?: readonly string[];
}

/** A page of the tenants of the service, oldest first. */
export async function listTenants({ kms, caller }: Operation, input: ListTenantsInput): Promise<ListTenantsResult> {
  requirePermission(caller, OPERATIONS.listTenants.permission);
  const { limit = BOUNDS.pageItems.default, cursor } = input;
  checkInteger('limit', limit, 1, BOUNDS.pageItems.maximum);
  const cursors = await listCursors<TenantPosition>(kms.hierarchy, SYSTEM_TENANT, 'tenants', {});
  const after = cursor === undefined ? null : placeOf(cursors.open(cursor));
  const authority = new TenantAuthority(await kms.hierarchy.masterKeys(SYSTEM_TENANT));
  const page = await kms.store.transact({ kind: 'system' }, (unit) => unit.tenants.list({ limit, after }));
  const { authentic, ...rest } = await authenticOf(
    kms,
    page.items.filter((tenant) => tenant.tenantId !== SYSTEM_TENANT),
    // Whether one that has no MAC may have none is known where its master key is opened.
    (tenant) => authority.verify(tenant, true),
    ({ tenantId }) => ['tenant', tenantId],
    new Turns(SYSTEM_TENANT),
  );
  const last = page.items.at(-1);
  return {
    items: authentic.map(describeTenant),
    nextCursor:
      page.more && last !== undefined
        ? cursors.seal({ createdAt: last.createdAt.getTime(), tenantId: last.tenantId })
        : null,
    ...rest,
  };
}

/** The last tenant of a page, in what a cursor holds. */
interface TenantPosition {
  readonly createdAt: number;
  readonly tenantId: TenantId;
}

function placeOf({ createdAt, tenantId }: TenantPosition): NonNullable<TenantQuery['after']> {
  return { createdAt: new Date(createdAt), tenantId };
}

/** The first tenant and its token. */
export interface FirstTenant extends ShownOnce {
  readonly tenantId: TenantId;
}

/** The first tenant, and what its token may do. */
export interface FirstTenantInput {
  readonly name: string;
  readonly token: CreateApiTokenInput;
  /**
   * Hands the token over before the unit is committed: a crash in between leaves a token that is not valid and a next start that makes
   * another, never a tenant that nobody has a token for.
   */
  readonly publish: (first: FirstTenant) => void;
}

/**
 * Makes a tenant and its first token in one unit of work, for the first start of a service that has no tenant yet and so
 * nobody who could ask for one.
 *
 * @returns `undefined` when there is a tenant already
 */
export async function bootstrapTenant(
  service: Operation<Pick<Kms, 'store' | 'hierarchy'>>,
  { name, token, publish }: FirstTenantInput,
): Promise<FirstTenant | undefined> {
  const { kms } = service;
  checkLine('name', name, BOUNDS.nameCharacters);
  checkToken(token);
  if (await kms.store.transact({ kind: 'system' }, hasTenant)) return undefined;
  const chain = await kms.hierarchy.masterKeys(SYSTEM_TENANT);
  const tenantId = newId();
  const masterKey = await kms.hierarchy.prepareMasterKey(tenantId);
  const { evidence } = unattended(service, 'bootstrapTenant', tenantId);
  return kms.store.transact({ kind: 'system' }, async (unit) => {
    await unit.tenants.lockRoots();
    if (await hasTenant(unit)) return undefined;
    const tenant = newTenant(chain, tenantId, name, unit.now);
    await unit.tenants.insert(tenant);
    await masterKey.store(unit);
    const made = makeToken(new TokenAuthority(chain), tenantId, token, unit.now);
    await unit.tokens.insert(made.record);
    await evidence?.changed(unit, tenantCreated(tenant));
    await evidence?.changed(unit, tokenCreated(made.record));
    const first = { tenantId, ...made.shown };
    publish(first);
    return first;
  });
}

/** Beside the service's own, which is one of two at most. */
async function hasTenant(unit: UnitOfWork): Promise<boolean> {
  return (await unit.tenants.list({ limit: 2 })).items.some(({ tenantId }) => tenantId !== SYSTEM_TENANT);
}

/** Which tenant is destroyed with all of its keys, with its confirmation. */
export interface ShredTenantInput {
  readonly tenantId: TenantId;
  /** Must be `SHRED-` and the tenant's id. */
  readonly confirmation: string;
  /** Why, for the audit trail. */
  readonly reason: string;
}

/**
 * Destroys a tenant's master key and with it every key of the tenant, forever. Live rows, memory and caches lose it at
 * once, and so do HSMs; a backup still holds the wrapped master key until it expires or the root is rotated
 * (`docs/cryptography.md`).
 */
export async function shredTenant(op: Operation, input: ShredTenantInput): Promise<TenantDescription> {
  const { kms, caller } = op;
  requirePermission(caller, OPERATIONS.shredTenant.permission);
  checkId('tenantId', input.tenantId);
  checkLine('reason', input.reason, BOUNDS.reasonCharacters);
  checkIdempotency(op.idempotency);
  requireOwnTenant(caller, input.tenantId);
  if (typeof input.confirmation !== 'string' || input.confirmation.toLowerCase() !== `shred-${input.tenantId}`)
    throw badRequest('confirmation', 'must be SHRED- followed by the id of the tenant');
  const chain = await kms.hierarchy.masterKeys(SYSTEM_TENANT);
  let shredded: TenantDescription;
  try {
    const shred = (approvals: Approvals) =>
      kms.store.transact({ kind: 'system' }, (unit) =>
        runOnce(ofTenant(op, input.tenantId), { unit, chain, what: 'shred-tenant' }, async () => {
          const found = await unit.tenants.get(input.tenantId, { lock: true });
          if (found === undefined) throw new KmsError('NOT_FOUND', 'There is no tenant with this id.');
          if (found.state === 'shredded') return describeTenant(found);
          await approvals.spend(unit, 0);
          await endTenant(unit, chain, input.tenantId);
          await op.evidence?.changed(unit, {
            eventType: OPERATIONS.shredTenant.event,
            resource: { type: 'tenant', id: input.tenantId, version: null },
            before: { state: found.state },
            after: { state: 'shredded', reason: input.reason },
          });
          return describeTenant({ ...found, state: 'shredded' });
        }),
      );
    const { approval } = OPERATIONS.shredTenant;
    shredded = await withApprovals(op, { operation: approval, tenantId: input.tenantId, input }, shred);
  } finally {
    kms.keyRing.forgetTenant(input.tenantId);
    kms.tokens.forgetTenant(input.tenantId);
    kms.identities.forgetTenant(input.tenantId);
    kms.quotas.forgetTenant(input.tenantId);
  }
  await destroyObjects(kms, input.tenantId);
  return shredded;
}

/** How many tokens are read, signed and written at a time. */
const TOKENS_AT_ONCE = 200;

/**
 * Shreds a tenant and revokes its tokens. Their records get new MACs, whether or not the old ones were right.
 *
 * @param system the master keys of the service itself
 */
export async function endTenant(unit: UnitOfWork, system: MasterKeyChain, tenantId: TenantId): Promise<void> {
  const tenant = await unit.tenants.get(tenantId, { lock: true });
  if (tenant === undefined) throw new KmsError('NOT_FOUND', 'There is no tenant with this id.');
  await unit.tenants.shred(new TenantAuthority(system).signShredded({ ...tenant, state: 'shredded' }));
  const authority = new TokenAuthority(system);
  const turns = new Turns(tenantId);
  for (let more = true; more; ) {
    // What a page revokes is not in the next one.
    const page = await unit.tokens.list({ tenantId, limit: TOKENS_AT_ONCE, lockLive: true });
    const ended: ApiTokenRecord[] = [];
    for (const token of page.items) {
      await turns.pause();
      ended.push(endedToken(unit, authority, token));
    }
    await unit.tokens.revoke(...ended);
    more = page.more;
  }
}

function tenantCreated({ tenantId, name, fields }: TenantRecord): RecordedChange {
  return {
    eventType: OPERATIONS.createTenant.event,
    resource: { type: 'tenant', id: tenantId, version: null },
    before: null,
    after: { name, state: 'active', ...fieldFacts(fields, KNOWN_FIELDS.tenant) },
  };
}

async function destroyObjects(kms: Kms, tenantId: TenantId): Promise<void> {
  try {
    await destroyResidentOfTenant(kms, tenantId);
  } catch (error) {
    if (!KmsError.is(error) || error.code !== 'HSM_UNAVAILABLE') throw error;
    throw new KmsError(
      'HSM_UNAVAILABLE',
      'The tenant is shredded; what it has in an HSM that does not answer will be destroyed as soon as that HSM answers.',
      { retryAfterSeconds: error.retryAfterSeconds ?? 1, cause: error },
    );
  }
}
