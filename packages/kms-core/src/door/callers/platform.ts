import type { EvidenceBatch } from '../../model/chain.ts';
import type {
  ExportAuditInput,
  ListAuditCheckpointsResult,
  ListAuditEventsInput,
  ListAuditEventsResult,
} from '../../operations/read-evidence.ts';
import type { TenantDescription, TenantDetails } from '../../model/describe-tenant.ts';
import type { NamedTenant } from '../../operations/master-key-rotation.ts';
import type { TenantId } from '../../model/identifiers.ts';
import type { TenantUsageDescription } from '../../operations/tenant-usage.ts';
import type {
  CreateTenantInput,
  ListTenantsInput,
  ListTenantsResult,
  ShredTenantInput,
} from '../../operations/tenants.ts';
import type { UpdateTenantInput } from '../../operations/update-tenant.ts';

/** The operations on tenants. */
export interface TenantOperations {
  /**
   * Creates a tenant with its master key. The caller is one of the platform, for the tenant `SYSTEM_TENANT`.
   *
   * @throws KmsError `FORBIDDEN` without `kms:tenants:manage`; `CONFLICT` when there is a tenant with this id.
   * @example
   * const { name, state } = await platform.createTenant({ name: 'bakery' });
   * console.log(name, state); // bakery active
   */
  createTenant(input: CreateTenantInput): Promise<TenantDescription>;

  /**
   * Lists the tenants, oldest first, a page at a time, those that were shredded as well.
   *
   * @throws KmsError `FORBIDDEN` without `kms:tenants:manage`; `BAD_REQUEST` for a cursor of another list.
   * @example
   * const { items } = await platform.listTenants({ limit: 200 });
   * console.log(items.some((tenant) => tenant.tenantId === tenantId)); // true
   */
  listTenants(input?: ListTenantsInput): Promise<ListTenantsResult>;

  /**
   * The caller's tenant, and how far the rotation of its master key has got: `resealing` says how much is under the present version.
   *
   * @throws KmsError `FORBIDDEN` without `kms:tenants:read`; `TENANT_MISMATCH` when the caller is of another tenant.
   * @example
   * const { masterKey } = await ada.getTenant({ tenantId });
   * console.log(masterKey?.version, masterKey?.resealing.done === masterKey?.resealing.total); // 1 true
   */
  getTenant(input: NamedTenant): Promise<TenantDetails>;

  /**
   * Gives the caller's tenant a new version of its master key, under which everything new is sealed at once. Scheduled work seals the rest
   * again, and then destroys the earlier version; both open what is under them until then.
   *
   * @throws KmsError `FORBIDDEN` without `kms:tenants:rotate`; `TENANT_MISMATCH` when the caller is of another tenant; `CONFLICT` when it
   *   was rotated at the same moment or too often lately, or the tenant was shredded; `HSM_UNAVAILABLE` when no root answers.
   * @example
   * const { ciphertext } = await ada.encrypt({ keyId: (await ada.createKey()).keyId, plaintext: Buffer.from('hello') });
   * const { masterKey } = await ada.rotateMasterKey({ tenantId });
   * await kms.own.resealMasterKeys(new AbortController().signal);
   * const { plaintext } = await ada.decrypt({ ciphertext });
   * console.log(Buffer.from(plaintext).toString(), masterKey?.version); // hello 2
   */
  rotateMasterKey(input: NamedTenant): Promise<TenantDetails>;

  /**
   * Changes the limits of a tenant; what is left out stays as it is. Quotas hold in every process of the KMS; `rate` is for what
   * limits rates, as the service does.
   *
   * @throws KmsError `FORBIDDEN` without `kms:tenants:manage`; `NOT_FOUND` when there is no such tenant; `CONFLICT` when it was shredded.
   * @example
   * const { limits } = await platform.updateTenant({ tenantId, limits: { rate: { unitsPerSecond: 500, burst: 2000 } } });
   * console.log(limits.rate?.unitsPerSecond, limits.rate?.burst); // 500 2000
   */
  updateTenant(input: UpdateTenantInput): Promise<TenantDescription>;

  /**
   * What the tenant of the caller uses of each of its limits: its quotas, and the operations of this month.
   *
   * @throws KmsError `FORBIDDEN` without `kms:tenants:read`; `TENANT_MISMATCH` when the caller is of another tenant.
   * @example
   * const before = await ada.getTenantUsage({ tenantId });
   * await ada.createKey();
   * const { keys } = await ada.getTenantUsage({ tenantId });
   * console.log(keys.used - before.keys.used, keys.maximum); // 1 100000
   */
  getTenantUsage(input: { readonly tenantId: TenantId }): Promise<TenantUsageDescription>;

  /**
   * Destroys the tenant's master key and with it every key of the tenant, permanently, and ends its tokens. A backup of the database
   * still holds the wrapped master key until it expires or the root is rotated.
   *
   * @throws KmsError `FORBIDDEN` without `kms:tenants:shred`; `TENANT_MISMATCH` when the caller is of another tenant; `BAD_REQUEST` when
   *   `confirmation` is not `SHRED-` followed by the id of the tenant; `HSM_UNAVAILABLE` when the tenant is shredded but an HSM does not
   *   answer: what is in there is destroyed as soon as it does.
   * @example
   * const { keyId } = await ada.createKey();
   * await ada.shredTenant({ tenantId, confirmation: `SHRED-${tenantId}`, reason: 'end of the contract' });
   * console.log(await ada.getKey({ keyId }).catch((error) => error.code)); // NOT_FOUND
   */
  shredTenant(input: ShredTenantInput): Promise<TenantDescription>;
}

/**
 * The operations that read the evidence of the tenant: each call of an operation leaves an event, which is sealed into the chain of the
 * tenant moments later. All throw `FORBIDDEN` without `kms:audit:read`, and `NOT_FOUND` when the KMS was opened without `evidence`.
 */
export interface EvidenceOperations {
  /**
   * Lists sealed events, newest first, a page at a time. Where a filter is given, all of them have to meet it.
   *
   * @throws KmsError `BAD_REQUEST` for a cursor of another list.
   * @example
   * // A moment ago `ada` asked for random bytes.
   * const { items } = await ada.listAuditEvents({ eventType: 'kms.random' });
   * console.log(items[0]?.event.action, items[0]?.event.actor.id, items[0]?.event.result); // getRandom ada success
   */
  listAuditEvents(input?: ListAuditEventsInput): Promise<ListAuditEventsResult>;

  /**
   * The signed batch that holds an event, of which `proveInclusion` of `@qnsp/kms-audit` makes a proof for somebody who has the public
   * key and nothing else.
   *
   * @throws KmsError `NOT_FOUND` when no sealed event has this id.
   * @example
   * import { proveInclusion } from '@qnsp/kms-audit';
   * const { items } = await ada.listAuditEvents({ eventType: 'kms.random' });
   * const eventId = items[0]?.event.eventId ?? '';
   * const { events, checkpoint } = await ada.getAuditProof({ eventId });
   * const proof = proveInclusion(events, checkpoint, eventId);
   * console.log(proof?.event.event.action); // getRandom
   */
  getAuditProof(input: { readonly eventId: string }): Promise<EvidenceBatch>;

  /**
   * Lists the signed checkpoints of the chain, newest first, a page of 50 at a time by default and of 200 at most.
   *
   * @throws KmsError `BAD_REQUEST` for a cursor of another list.
   * @example
   * const { items } = await ada.listAuditCheckpoints({ limit: 200 });
   * console.log(items.at(-1)?.firstSequence); // 1
   */
  listAuditCheckpoints(input?: {
    readonly limit?: number;
    readonly cursor?: string;
  }): Promise<ListAuditCheckpointsResult>;

  /**
   * Whole batches of the chain, oldest first: 10 by default and 100 at most, after the place `after`. Call again with the last place
   * of the answer until it is empty.
   *
   * @example
   * const batches = await ada.exportAudit({ after: 0, batches: 100 });
   * console.log(batches[0]?.events[0]?.event.action); // getRandom
   */
  exportAudit(input?: ExportAuditInput): Promise<readonly EvidenceBatch[]>;
}
