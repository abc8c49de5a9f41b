import { type AuditEvent, KmsError, SYSTEM_TENANT, type TenantId } from '@qnsp/kms-core';
import {
  type AuditEventType,
  type Delivery,
  type DeliveryOutcome,
  type EvidenceQuery,
  type EvidenceStore,
  newId,
} from '@qnsp/kms-core/ports';
import { sql } from 'drizzle-orm';
import { builtOnce } from './driver/built-once.ts';
import type { Db, Driver } from './driver/driver.ts';
import { claimDelivery, endDelivery, renewDelivery } from './evidence/deliveries.ts';
import {
  backlog,
  backlogByTenant,
  batchesAfter,
  batchOf,
  chainTenants,
  listCheckpoints,
  listEvents,
  newestType,
  unsealedTenants,
} from './evidence/evidence-reads.ts';
import { extendChain } from './evidence/extend-chain.ts';
import { retireBatches } from './evidence/retire-batches.ts';
import { EVENT_LISTS, eventLists } from './records/evidence-records.ts';
import { kms } from './schema/columns.ts';
import { evidenceOutbox } from './schema/evidence.ts';
import { toStoreError } from './driver/store-errors.ts';

/** As long as an event may be: on a full disk, a small one may still find a place. */
const PROBE = JSON.stringify({ probe: 'x'.repeat(1500) });

/** The evidence store on any driver. */
export class DrizzleEvidenceStore implements EvidenceStore {
  readonly #driver: Driver;

  constructor(driver: Driver) {
    this.#driver = driver;
  }

  async append(events: readonly AuditEvent[]): Promise<void> {
    const lists = eventLists(events);
    try {
      await this.#driver.statement((db) => appendEvents(db).execute(lists));
    } catch (error) {
      throw toStoreError(error);
    }
  }

  async requireWritable(): Promise<void> {
    const takenBack = new Error('taken back');
    const write = async (db: Db) => {
      await db.insert(evidenceOutbox).values({ tenantId: SYSTEM_TENANT, eventId: newId(), event: PROBE });
      throw takenBack;
    };
    await this.#driver
      .transaction({ kind: 'system' }, async (db) => {
        await write(db).catch((error: unknown) => {
          throw error === takenBack ? takenBack : toStoreError(error);
        });
      })
      .catch((error: unknown) => {
        if (error !== takenBack) throw error;
      });
  }

  backlog(limit: number) {
    return this.#system((db) => backlog(db, limit));
  }

  async tenants() {
    const [sealed, unsealed] = await this.#system(async (db) => [await chainTenants(db), await unsealedTenants(db)]);
    return [...new Set([...(sealed ?? []), ...(unsealed ?? [])])];
  }

  newestType(tenantId: TenantId, types: readonly AuditEventType[]) {
    return this.#tenant(tenantId, (db) => newestType(db, tenantId, types));
  }

  backlogByTenant(limit: number) {
    return this.#system((db) => backlogByTenant(db, limit));
  }

  unsealedTenants() {
    return this.#system(unsealedTenants);
  }

  extendChain(tenantId: TenantId, limit: number, make: Parameters<EvidenceStore['extendChain']>[2]) {
    return this.#system((db) => extendChain(db, tenantId, limit, make));
  }

  async claimDelivery(owner: string, leaseSeconds: number) {
    const claimed = await this.#system((db) => claimDelivery(db, owner, leaseSeconds));
    // Thrown after the lease is committed: for as long as it lasts, this chain is out of the way of the others.
    if (claimed?.kind === 'missing')
      throw new KmsError(
        'INTERNAL_ERROR',
        `The batch that begins with event ${claimed.firstSequence} of the tenant ${claimed.tenantId} is to be delivered but does not exist.`,
      );
    return claimed?.delivery;
  }

  renewDelivery(owner: string, delivery: Delivery, leaseSeconds: number) {
    return this.#system((db) => renewDelivery(db, owner, delivery, leaseSeconds));
  }

  endDelivery(owner: string, delivery: Delivery, outcome: DeliveryOutcome) {
    return this.#system((db) => endDelivery(db, owner, delivery, outcome));
  }

  events(tenantId: TenantId, query: EvidenceQuery) {
    return this.#tenant(tenantId, (db) => listEvents(db, tenantId, query));
  }

  batchOf(tenantId: TenantId, eventId: string) {
    return this.#tenant(tenantId, (db) => batchOf(db, tenantId, eventId));
  }

  checkpoints(tenantId: TenantId, limit: number, beforeSequence: number | null) {
    return this.#tenant(tenantId, (db) => listCheckpoints(db, tenantId, limit, beforeSequence));
  }

  batchesAfter(tenantId: TenantId, sequence: number, limit: number) {
    return this.#tenant(tenantId, (db) => batchesAfter(db, tenantId, sequence, limit));
  }

  retire(before: Date, limit: number) {
    return this.#system((db) => retireBatches(db, before, limit));
  }

  #system<T>(work: (db: Db) => Promise<T>): Promise<T> {
    return this.#run({ kind: 'system' }, work);
  }

  #tenant<T>(tenantId: TenantId, work: (db: Db) => Promise<T>): Promise<T> {
    return this.#run({ kind: 'tenant', tenantId }, work);
  }

  #run<T>(scope: Parameters<Driver['transaction']>[0], work: (db: Db) => Promise<T>): Promise<T> {
    const run = async (db: Db) => {
      try {
        return await work(db);
      } catch (error) {
        throw toStoreError(error);
      }
    };
    return this.#driver.transaction(scope, run, { plans: 'fresh' });
  }
}

const appendEvents = builtOnce((db) =>
  db
    .select({ appended: sql`${kms}.append_events(${EVENT_LISTS})` })
    .from(sql`(values (1)) as once`)
    .prepare('append_events'),
);
