import { KmsError, type TenantId } from '@qnsp/kms-core';
import type {
  MasterKeyCounts,
  MasterKeyName,
  MasterKeyWrap,
  RootRecord,
  TenantPage,
  TenantQuery,
  TenantRecord,
  TenantRecords,
  TenantUsage,
} from '@qnsp/kms-core/ports';
import { and, countDistinct, count, eq, exists, isNotNull, ne, not, or, type SQL, sql } from 'drizzle-orm';
import { alias, type PgTable } from 'drizzle-orm/pg-core';
import { apiTokens } from '../schema/api-tokens.ts';
import { answerCounts } from '../schema/answer-counts.ts';
import { idempotencyKeys } from '../schema/idempotency-keys.ts';
import { identityBindings } from '../schema/identities.ts';
import { keyCounts } from '../schema/key-counts.ts';
import { keyVersions } from '../schema/key-versions.ts';
import { operationCounts } from '../schema/operation-counts.ts';
import { roots, tenantMasterKeyWraps, tenants } from '../schema/tenants.ts';
import { requireSeen, requireSystem, within } from '../driver/scope.ts';
import { THIS_MONTH } from './operation-counts.ts';
import type { Session } from '../driver/session.ts';
import { toMacColumns, toTenantRecord, toTenantRow } from './tenant-rows.ts';

export class DrizzleTenants implements TenantRecords {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  async get(tenantId: TenantId, options: { readonly lock?: boolean } = {}): Promise<TenantRecord | undefined> {
    const where = and(eq(tenants.tenantId, tenantId), within(this.#session.scope, tenants.tenantId));
    const [tenant] = await this.#session.run((db) => {
      const query = db.select().from(tenants).where(where);
      // What refers to the tenant continues; what needs it to stay active waits.
      return options.lock ? query.for('no key update') : query.prepare('get_tenant').execute();
    });
    return tenant === undefined ? undefined : toTenantRecord(tenant);
  }

  async insert(tenant: TenantRecord): Promise<void> {
    requireSeen(this.#session.scope, tenant.tenantId);
    const inserted = await this.#session.run((db) =>
      db.insert(tenants).values(toTenantRow(tenant)).onConflictDoNothing().returning({ tenantId: tenants.tenantId }),
    );
    if (inserted.length === 0) throw new KmsError('CONFLICT', 'The id of the tenant was used before.');
  }

  async shred({ tenantId, mac }: Pick<TenantRecord, 'tenantId' | 'mac'>): Promise<void> {
    // Waits for the changes that are under way, which hold the tenant's row; the next ones are refused.
    const where = and(eq(tenants.tenantId, tenantId), within(this.#session.scope, tenants.tenantId));
    const shredded = await this.#session.run((db) =>
      db
        .update(tenants)
        .set({ state: 'shredded', ...toMacColumns(mac) })
        .where(where)
        .returning({ tenantId: tenants.tenantId }),
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

  async setFields({ tenantId, fields, mac }: Pick<TenantRecord, 'tenantId' | 'fields' | 'mac'>): Promise<void> {
    requireSystem(this.#session.scope);
    const { account } = fields;
    if (typeof account === 'string') await this.#requireFree(account, tenantId);
    const changed = await this.#session.run((db) =>
      db
        .update(tenants)
        .set({ fields, ...toMacColumns(mac) })
        .where(eq(tenants.tenantId, tenantId))
        .returning({ tenantId: tenants.tenantId }),
    );
    if (changed.length === 0) throw new KmsError('NOT_FOUND', 'There is no tenant with this id.');
  }

  /** Asked first, so that the unit goes on after a conflict; the index refuses what comes in between. */
  async #requireFree(account: string, tenantId: TenantId): Promise<void> {
    const isAnother = and(sql`${tenants.fields} ->> 'account' = ${account}`, ne(tenants.tenantId, tenantId));
    const taken = await this.#session.run((db) =>
      db.select({ tenantId: tenants.tenantId }).from(tenants).where(isAnother).limit(1),
    );
    if (taken.length > 0) throw new KmsError('CONFLICT', 'Another tenant has this account.');
  }

  async usage(tenantId: TenantId): Promise<TenantUsage> {
    // As a value: of a select from one table drizzle leaves out the names of tables.
    const ofTenant = (table: PgTable) => sql`from ${table} where tenant_id = ${tenantId}`;
    const number = (one: SQL) => sql`(${one})`.mapWith(Number);
    const [usage] = await this.#session.run((db) =>
      db
        .select({
          keys: number(sql`select coalesce(sum(keys), 0) ${ofTenant(keyCounts)}`),
          tokens:
            number(sql`select count(*) ${ofTenant(apiTokens)} and revoked_at is null and not fields ? '!overlapEnd'
            and (expires_at is null or expires_at > now())`),
          identityBindings: number(sql`select count(*) ${ofTenant(identityBindings)} and removed_at is null`),
          operationsThisMonth: number(
            sql`select coalesce(sum(operations), 0) ${ofTenant(operationCounts)} and month = ${THIS_MONTH}`,
          ),
          keptAnswers: number(
            sql`select (select coalesce(sum(answers), 0) ${ofTenant(answerCounts)})
              - (select count(*) ${ofTenant(idempotencyKeys)} and expires_at <= now())`,
          ),
        })
        .from(tenants)
        .where(and(eq(tenants.tenantId, tenantId), within(this.#session.scope, tenants.tenantId)))
        .prepare('usage')
        .execute(),
    );
    return usage ?? { keys: 0, tokens: 0, identityBindings: 0, operationsThisMonth: 0, keptAnswers: 0 };
  }

  async list({ limit, after }: TenantQuery): Promise<TenantPage> {
    const behind = after
      ? sql`(${tenants.createdAt}, ${tenants.tenantId}) > (${after.createdAt.toISOString()}::timestamptz, ${after.tenantId}::uuid)`
      : undefined;
    const where = and(within(this.#session.scope, tenants.tenantId), behind);
    const rows = await this.#session.run((db) =>
      db
        .select()
        .from(tenants)
        .where(where)
        .orderBy(tenants.createdAt, tenants.tenantId)
        .limit(limit + 1),
    );
    return { items: rows.slice(0, limit).map(toTenantRecord), more: rows.length > limit };
  }

  async bind(
    { tenantId, mac }: Pick<TenantRecord, 'tenantId' | 'mac'>,
    added: readonly MasterKeyWrap[],
  ): Promise<void> {
    requireSystem(this.#session.scope);
    const changed = await this.#session.run((db) =>
      db
        .update(tenants)
        .set(toMacColumns(mac))
        .where(eq(tenants.tenantId, tenantId))
        .returning({ tenantId: tenants.tenantId }),
    );
    if (changed.length === 0) throw new KmsError('NOT_FOUND', 'There is no tenant with this id.');
    const wraps = tenantMasterKeyWraps;
    await this.#session.run((db) => db.delete(wraps).where(eq(wraps.tenantId, tenantId)));
    await this.addMasterKeyWraps(added);
  }

  async masterKeyWraps(tenantId: TenantId): Promise<readonly MasterKeyWrap[]> {
    const table = tenantMasterKeyWraps;
    const where = and(eq(table.tenantId, tenantId), within(this.#session.scope, table.tenantId));
    return this.#session.run((db) =>
      db
        .select()
        .from(table)
        .where(where)
        .orderBy(table.tmkVersion, table.providerId, table.rootCheckValue)
        .prepare('wraps')
        .execute(),
    );
  }

  async addMasterKeyWraps(wraps: readonly MasterKeyWrap[]): Promise<void> {
    for (const wrap of wraps) requireSeen(this.#session.scope, wrap.tenantId);
    if (wraps.length === 0) return;
    await this.#session.run((db) => db.insert(tenantMasterKeyWraps).values([...wraps]));
  }

  async roots(): Promise<readonly RootRecord[]> {
    requireSystem(this.#session.scope);
    return this.#session.run((db) => db.select().from(roots).orderBy(roots.providerId, roots.checkValue));
  }

  async addRoot(root: RootRecord): Promise<void> {
    requireSystem(this.#session.scope);
    await this.#session.run((db) => db.insert(roots).values(root));
  }

  async removeRoot({ providerId, checkValue }: RootRecord): Promise<void> {
    requireSystem(this.#session.scope);
    // Two roots removed at once would each count on the other.
    await this.lockRoots();
    const wraps = tenantMasterKeyWraps;
    const underIt = and(eq(wraps.providerId, providerId), eq(wraps.rootCheckValue, checkValue));
    const others = await this.#session.run((db) => db.select().from(roots));
    if (!others.some((root) => root.providerId === providerId && root.checkValue === checkValue))
      throw new KmsError('NOT_FOUND', 'The root is not in use.');
    const [only] = await this.#session.run((db) => {
      const other = alias(wraps, 'other');
      const elsewhere = db
        .select({ one: sql`1` })
        .from(other)
        .where(
          and(
            eq(other.tenantId, wraps.tenantId),
            eq(other.tmkVersion, wraps.tmkVersion),
            or(ne(other.providerId, providerId), ne(other.rootCheckValue, checkValue)),
          ),
        );
      return db
        .select({ tenantId: wraps.tenantId })
        .from(wraps)
        .where(and(underIt, not(exists(elsewhere))))
        .limit(1);
    });
    if (others.length === 1 || only !== undefined)
      throw new KmsError('CONFLICT', 'Nothing else opens what this root wraps.');
    await this.#session.run((db) => db.delete(wraps).where(underIt));
    await this.#session.run((db) =>
      db.delete(roots).where(and(eq(roots.providerId, providerId), eq(roots.checkValue, checkValue))),
    );
  }

  async masterKeysLacking({ providerId, checkValue }: RootRecord, limit: number): Promise<readonly MasterKeyName[]> {
    requireSystem(this.#session.scope);
    const { tenantId, tmkVersion, providerId: provider, rootCheckValue: root } = tenantMasterKeyWraps;
    return this.#session.run((db) =>
      db
        .select({ tenantId, tmkVersion })
        .from(tenantMasterKeyWraps)
        .groupBy(tenantId, tmkVersion)
        .having(sql`not bool_or(${provider} = ${providerId} and ${root} = ${checkValue})`)
        .orderBy(tenantId, tmkVersion)
        .limit(limit),
    );
  }

  async countMasterKeys(): Promise<MasterKeyCounts> {
    requireSystem(this.#session.scope);
    const wraps = tenantMasterKeyWraps;
    const [all] = await this.#session.run((db) =>
      db.select({ total: countDistinct(sql`(${wraps.tenantId}, ${wraps.tmkVersion})`) }).from(wraps),
    );
    const byRoot = await this.#session.run((db) =>
      db
        .select({ providerId: roots.providerId, checkValue: roots.checkValue, wraps: count(wraps.tenantId) })
        .from(roots)
        .leftJoin(wraps, and(eq(wraps.providerId, roots.providerId), eq(wraps.rootCheckValue, roots.checkValue)))
        .groupBy(roots.providerId, roots.checkValue)
        .orderBy(roots.providerId, roots.checkValue),
    );
    return { total: all?.total ?? 0, byRoot };
  }

  async lockRoots(): Promise<void> {
    requireSystem(this.#session.scope);
    const lock = sql.raw(this.#session.names.locks.roots);
    await this.#session.run((db) => db.execute(sql`select pg_advisory_xact_lock(${lock})`));
  }
}
