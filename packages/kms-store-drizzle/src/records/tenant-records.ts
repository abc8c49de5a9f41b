import {
  KmsError,
  type MasterKeyWrap,
  type RootRecord,
  type TenantId,
  type TenantRecord,
  type TenantRecords,
} from '@qnsp/kms-core';
import { and, eq, isNotNull, sql } from 'drizzle-orm';
import { idempotencyKeys } from '../schema/idempotency-keys.ts';
import { keyVersions } from '../schema/key-versions.ts';
import { roots, tenantMasterKeyWraps, tenants } from '../schema/tenants.ts';
import { requireSeen, requireSystem, within } from '../scope.ts';
import type { Session } from '../session.ts';

/** The advisory lock of the roots: the first 52 bits of SHA-256("qnsp-kms roots"). */
const ROOTS_LOCK = sql.raw('4360313523663637');

export class DrizzleTenants implements TenantRecords {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  async get(tenantId: TenantId): Promise<TenantRecord | undefined> {
    const where = and(eq(tenants.tenantId, tenantId), within(this.#session.scope, tenants.tenantId));
    const [tenant] = await this.#session.run((db) =>
      db.select().from(tenants).where(where).prepare('get_tenant').execute(),
    );
    return tenant;
  }

  async insert(tenant: TenantRecord): Promise<void> {
    requireSeen(this.#session.scope, tenant.tenantId);
    const { tenantId, name, state, createdAt } = tenant;
    const inserted = await this.#session.run((db) =>
      db
        .insert(tenants)
        .values({ tenantId, name, state, createdAt })
        .onConflictDoNothing()
        .returning({ tenantId: tenants.tenantId }),
    );
    if (inserted.length === 0) throw new KmsError('CONFLICT', 'The id of the tenant was used before.');
  }

  async shred(tenantId: TenantId): Promise<void> {
    // Waits for the changes of keys that are under way, which hold the tenant's row; the next ones are refused.
    const where = and(eq(tenants.tenantId, tenantId), within(this.#session.scope, tenants.tenantId));
    const shredded = await this.#session.run((db) =>
      db.update(tenants).set({ state: 'shredded' }).where(where).returning({ tenantId: tenants.tenantId }),
    );
    if (shredded.length === 0) throw new KmsError('NOT_FOUND', 'There is no tenant with this id.');
    await this.#session.run((db) =>
      db
        .update(keyVersions)
        .set({ materialKind: 'none', tmkVersion: null, sealed: null })
        // In the words of the partial index.
        .where(and(eq(keyVersions.tenantId, tenantId), sql`material_kind = 'sealed'`)),
    );
    const wraps = tenantMasterKeyWraps;
    await this.#session.run((db) => db.delete(wraps).where(eq(wraps.tenantId, tenantId)));
    const answers = idempotencyKeys;
    await this.#session.run((db) =>
      db.delete(answers).where(and(eq(answers.tenantId, tenantId), isNotNull(answers.answer))),
    );
  }

  async list(): Promise<readonly TenantRecord[]> {
    const where = within(this.#session.scope, tenants.tenantId);
    return this.#session.run((db) =>
      db
        .select()
        .from(tenants)
        .where(where)
        .orderBy(tenants.createdAt, tenants.tenantId)
        .prepare('list_tenants')
        .execute(),
    );
  }

  async masterKeyWraps(tenantId: TenantId): Promise<readonly MasterKeyWrap[]> {
    const table = tenantMasterKeyWraps;
    const where = and(eq(table.tenantId, tenantId), within(this.#session.scope, table.tenantId));
    return this.#session.run((db) =>
      db.select().from(table).where(where).orderBy(table.tmkVersion, table.providerId).prepare('wraps').execute(),
    );
  }

  async addMasterKeyWraps(wraps: readonly MasterKeyWrap[]): Promise<void> {
    for (const wrap of wraps) requireSeen(this.#session.scope, wrap.tenantId);
    if (wraps.length === 0) return;
    await this.#session.run((db) => db.insert(tenantMasterKeyWraps).values([...wraps]));
  }

  async roots(): Promise<readonly RootRecord[]> {
    requireSystem(this.#session.scope);
    return this.#session.run((db) => db.select().from(roots).orderBy(roots.providerId));
  }

  async addRoot(root: RootRecord): Promise<void> {
    requireSystem(this.#session.scope);
    await this.#session.run((db) => db.insert(roots).values(root));
  }

  async lockRoots(): Promise<void> {
    requireSystem(this.#session.scope);
    await this.#session.run((db) => db.execute(sql`select pg_advisory_xact_lock(${ROOTS_LOCK})`));
  }
}
