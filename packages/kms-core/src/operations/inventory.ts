import { requirePermission } from '../access/caller.ts';
import { isAllowed } from '../access/evaluate-policy.ts';
import { BOUNDS } from '../bounds/bounds.ts';
import { checkId, checkInteger } from '../bounds/check-values.ts';
import { KmsError } from '../errors/kms-error.ts';
import { type KeyId, SYSTEM_TENANT, type TenantId } from '../model/identifiers.ts';
import { describeInInventory, type InventoryKey } from '../model/inventory.ts';
import { Turns } from '../scheduling/turns.ts';
import { authenticRecords } from './authentic-records.ts';
import { OPERATIONS } from './catalog.ts';
import { listCursors } from './list-cursor.ts';
import type { Operation } from './operation.ts';
import { policyViolations } from './policy-violations.ts';

/** Which page of the inventory is shown. */
export interface GetInventoryInput {
  /** From 1 to 200; default: 50. */
  readonly limit?: number;
  readonly cursor?: string;
}

/** Some keys of an inventory, and what is missing among them. */
export interface InventoryPage {
  readonly items: readonly InventoryKey[];
  /** Names the keys whose stored record was changed by somebody else, and counts those that the caller may not read. */
  readonly warnings?: readonly string[];
}

/** A page of an inventory. */
export interface GetInventoryResult extends InventoryPage {
  /** Where the next page starts; `null` on the last page. */
  readonly nextCursor: string | null;
}

/** How many tenants without keys a page passes over before it is answered. */
const MOST_TENANTS = 200;

interface TenantPlace {
  readonly createdAt: number;
  readonly tenantId: TenantId;
}

interface KeyPlace {
  readonly createdAt: number;
  readonly keyId: KeyId;
}

/** Where an inventory goes on: within a tenant after a key of it, otherwise after a tenant. One tenant's has no tenant in it. */
interface Place {
  readonly tenant: TenantPlace | null;
  readonly key: KeyPlace | null;
}

interface PlacedPage extends InventoryPage {
  readonly next: Place | null;
}

const NOTHING: ReadonlyMap<number, number> = new Map();
const BEGINNING: Place = { tenant: null, key: null };

/**
 * A page of the inventory of the tenant, newest keys first; for a caller of the platform of all tenants, oldest tenants first, without
 * those that were shredded. A page may hold fewer keys than there are after it.
 */
export async function getInventory(op: Operation, input: GetInventoryInput): Promise<GetInventoryResult> {
  requireAccess(op);
  const { limit = BOUNDS.pageItems.default, cursor } = input;
  checkInteger('limit', limit, 1, BOUNDS.pageItems.maximum);
  const cursors = await listCursors<Place>(op.kms.hierarchy, op.caller.tenantId, 'inventory', {});
  const { next, ...page } = await pageAt(op, cursor === undefined ? BEGINNING : cursors.open(cursor), limit);
  return { ...page, nextCursor: next === null ? null : cursors.seal(next) };
}

/**
 * The whole inventory, in pages that are read as they are asked for: never more than one is in memory. The first one is read at once, so
 * that what keeps it from being read is thrown here.
 */
export async function exportInventory(op: Operation): Promise<AsyncIterable<InventoryPage>> {
  requireAccess(op);
  const first = await pageAt(op, BEGINNING, BOUNDS.pageItems.maximum);
  return pagesFrom(op, first);
}

async function* pagesFrom(op: Operation, first: PlacedPage): AsyncGenerator<InventoryPage, void, void> {
  for (let page = first; ; ) {
    const { next, ...shown } = page;
    yield shown;
    if (next === null) return;
    page = await pageAt(op, next, BOUNDS.pageItems.maximum);
  }
}

function requireAccess({ caller }: Operation): void {
  requirePermission(caller, OPERATIONS.getInventory.permission);
  requirePermission(caller, OPERATIONS.listKeys.permission);
  checkId('tenantId', caller.tenantId);
}

function pageAt(op: Operation, place: Place, limit: number): Promise<PlacedPage> {
  const { tenantId } = op.caller;
  return tenantId === SYSTEM_TENANT
    ? pageOfPlatform(op, place, limit)
    : pageOfTenant(op, { tenantId, tenant: null, after: place.key, limit });
}

async function pageOfPlatform(op: Operation, from: Place, limit: number): Promise<PlacedPage> {
  const items: InventoryKey[] = [];
  const warnings: string[] = [];
  const upTo = (next: Place | null) => ({ items, ...(warnings.length === 0 ? {} : { warnings }), next });
  const upcoming = upcomingTenants(op, from.tenant);
  let place = from;
  for (let visited = 0; visited < MOST_TENANTS && items.length < limit; visited += 1) {
    const tenant = place.key === null ? await upcoming() : place.tenant;
    if (tenant === null) return upTo(null);
    const part = { tenantId: tenant.tenantId, tenant, after: place.key, limit: limit - items.length };
    const page = await pageOfTenant(op, part).catch(passOverShredded);
    items.push(...page.items);
    warnings.push(...(page.warnings ?? []));
    place = page.next ?? { tenant, key: null };
  }
  return upTo(place);
}

/** Nothing of a tenant that was shredded since it was found. */
function passOverShredded(error: unknown): PlacedPage {
  if (!KmsError.is(error) || error.code !== 'NOT_FOUND') throw error;
  return { items: [], next: null };
}

/** Answers the tenants after a place one by one, and `null` after the last. */
function upcomingTenants({ kms }: Operation, from: TenantPlace | null): () => Promise<TenantPlace | null> {
  let found: TenantPlace[] = [];
  let after = from;
  let more = true;
  return async () => {
    while (found.length === 0 && more) {
      const place = after && { createdAt: new Date(after.createdAt), tenantId: after.tenantId };
      const page = await kms.store.transact({ kind: 'system' }, (unit) =>
        unit.tenants.list({ limit: BOUNDS.pageItems.default, after: place }),
      );
      const last = page.items.at(-1);
      if (last !== undefined) after = { createdAt: last.createdAt.getTime(), tenantId: last.tenantId };
      ({ more } = page);
      found = page.items
        .filter(({ tenantId, state }) => tenantId !== SYSTEM_TENANT && state === 'active')
        .map(({ tenantId, createdAt }) => ({ tenantId, createdAt: createdAt.getTime() }));
    }
    return found.shift() ?? null;
  };
}

/** Which keys of a tenant are read. */
interface PartOfTenant {
  readonly tenantId: TenantId;
  /** The tenant in the places of the page, for an inventory of several. */
  readonly tenant: TenantPlace | null;
  readonly after: KeyPlace | null;
  readonly limit: number;
}

async function pageOfTenant({ kms, caller }: Operation, part: PartOfTenant): Promise<PlacedPage> {
  const { tenantId, tenant, after, limit } = part;
  const turns = new Turns(tenantId);
  const query = { limit, after: after && { createdAt: new Date(after.createdAt), keyId: after.keyId } };
  const { page, counted, used, now, authentic, warnings } = await kms.hierarchy.under(
    tenantId,
    async (chain, isNewest) => {
      const read = await kms.store.transact({ kind: 'tenant', tenantId }, async (unit) => {
        const found = await unit.keys.list(query);
        const ids = found.items.map(({ keyId }) => keyId);
        const [leased, lastUses] = [await unit.keys.leasedOperations(ids), await unit.keys.lastUses(ids)];
        return { page: found, counted: leased, used: lastUses, now: unit.now };
      });
      return { ...read, ...(await authenticRecords(kms, chain, read.page.items, turns, isNewest)) };
    },
  );
  const usesOf = Map.groupBy(used.versions, ({ keyId }) => keyId);
  const items: InventoryKey[] = [];
  for (const record of authentic) {
    await turns.pause();
    if (!isAllowed(caller, OPERATIONS.listKeys.permission, record, kms.clock())) continue;
    const { keyId } = record;
    const uses = { counted: counted.get(keyId) ?? NOTHING, since: used.since, versions: usesOf.get(keyId) ?? [] };
    items.push(describeInInventory(record, uses, now, policyViolations(kms, record)));
  }
  const all = [...(warnings ?? []), ...hiddenWarning(tenantId, authentic.length - items.length)];
  const last = page.items.at(-1);
  const key = page.more && last !== undefined ? { createdAt: last.createdAt.getTime(), keyId: last.keyId } : null;
  return { items, ...(all.length === 0 ? {} : { warnings: all }), next: key && { tenant, key } };
}

/** An inventory that lacks something says so. */
function hiddenWarning(tenantId: TenantId, hidden: number): readonly string[] {
  if (hidden === 0) return [];
  return [
    `Keys of the tenant ${tenantId} that are not listed, since their policies keep the caller from reading them: ${hidden}.`,
  ];
}
