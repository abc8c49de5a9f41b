import { KmsError } from '@qnsp/kms-core';
import type { IdentityBindingRecord, IdentityDenialRecord } from '@qnsp/kms-core/internal';
import type {
  FoundIdentities,
  IdentityBindingPage,
  IdentityBindingQuery,
  IdentityDenialPage,
  IdentityDenialQuery,
  IdentityNames,
  IdentityRecords,
  RemovedBindingQuery,
  Room,
  RoomForBinding,
} from '@qnsp/kms-core/ports';
import { and, desc, eq, gte, lt, type SQL, sql } from 'drizzle-orm';
import { requireSeen, within } from '../driver/scope.ts';
import type { Session } from '../driver/session.ts';
import { macColumns, withMac, withMacColumns } from './mac-columns.ts';
import { requireRoom } from './room.ts';
import { identityBindings, identityDenials } from '../schema/identities.ts';

export class DrizzleIdentities implements IdentityRecords {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  async insert(binding: IdentityBindingRecord, { atMost, removedAtMost }: RoomForBinding = {}): Promise<void> {
    requireSeen(this.#session.scope, binding.tenantId);
    const { permissions, keys, ...row } = withMacColumns(binding);
    const { bindingId: id, tenantId } = identityBindings;
    const inserted = await this.#session.run((db) =>
      db
        .insert(identityBindings)
        .values({ ...row, permissions: [...permissions], keys: keys && [...keys] })
        .onConflictDoNothing()
        .returning({
          used: requireRoom('identityBindings', { id, tenantId }, atMost),
          removed: requireRoom('removedIdentityBindings', { id, tenantId }, removedAtMost),
        }),
    );
    if (inserted.length === 0) throw new KmsError('CONFLICT', 'The id of the binding was used before.');
  }

  async get(bindingId: string, options: { readonly lock?: boolean } = {}): Promise<IdentityBindingRecord | undefined> {
    const where = and(eq(identityBindings.bindingId, bindingId), this.#bindings());
    const [row] = await this.#session.run((db) => {
      const query = db.select().from(identityBindings).where(where);
      return options.lock ? query.for('update') : query;
    });
    return row === undefined ? undefined : withMac(row);
  }

  async list({ limit, after }: IdentityBindingQuery): Promise<IdentityBindingPage> {
    const { createdAt, bindingId } = identityBindings;
    const behind = after
      ? sql`(${createdAt}, ${bindingId}) < (${after.createdAt.toISOString()}::timestamptz, ${after.bindingId}::uuid)`
      : undefined;
    const rows = await this.#session.run((db) =>
      db
        .select()
        .from(identityBindings)
        .where(and(this.#bindings(), behind))
        .orderBy(desc(createdAt), desc(bindingId))
        .limit(limit + 1),
    );
    return { items: rows.slice(0, limit).map(withMac), more: rows.length > limit };
  }

  async remove({ bindingId, removedAt, mac }: IdentityBindingRecord): Promise<void> {
    const removed = await this.#session.run((db) =>
      db
        .update(identityBindings)
        .set({ removedAt, ...macColumns(mac) })
        .where(and(eq(identityBindings.bindingId, bindingId), this.#bindings()))
        .returning({ bindingId: identityBindings.bindingId }),
    );
    if (removed.length === 0) throw new KmsError('NOT_FOUND', 'There is no identity binding with this id.');
  }

  async insertDenial(denial: IdentityDenialRecord, { atMost }: Room = {}): Promise<void> {
    requireSeen(this.#session.scope, denial.tenantId);
    const { denialId: id, tenantId } = identityDenials;
    const inserted = await this.#session.run((db) =>
      db
        .insert(identityDenials)
        .values(withMacColumns(denial))
        .onConflictDoNothing()
        .returning({ used: requireRoom('identityDenials', { id, tenantId }, atMost) }),
    );
    if (inserted.length === 0) throw new KmsError('CONFLICT', 'The id of the denial was used before.');
  }

  async getDenial(
    denialId: string,
    options: { readonly lock?: boolean } = {},
  ): Promise<IdentityDenialRecord | undefined> {
    const where = and(eq(identityDenials.denialId, denialId), this.#denials());
    const [row] = await this.#session.run((db) => {
      const query = db.select().from(identityDenials).where(where);
      return options.lock ? query.for('update') : query;
    });
    return row === undefined ? undefined : withMac(row);
  }

  async listDenials({ limit, after }: IdentityDenialQuery): Promise<IdentityDenialPage> {
    const { createdAt, denialId, endsAt } = identityDenials;
    const behind = after
      ? sql`(${createdAt}, ${denialId}) < (${after.createdAt.toISOString()}::timestamptz, ${after.denialId}::uuid)`
      : undefined;
    const rows = await this.#session.run((db) =>
      db
        .select()
        .from(identityDenials)
        .where(and(this.#denials(), gte(endsAt, this.#session.now), behind))
        .orderBy(desc(createdAt), desc(denialId))
        .limit(limit + 1),
    );
    return { items: rows.slice(0, limit).map(withMac), more: rows.length > limit };
  }

  async liftDenial({ denialId, fields, mac }: IdentityDenialRecord): Promise<void> {
    const lifted = await this.#session.run((db) =>
      db
        .update(identityDenials)
        .set({ fields, ...macColumns(mac) })
        .where(and(eq(identityDenials.denialId, denialId), this.#denials()))
        .returning({ denialId: identityDenials.denialId }),
    );
    if (lifted.length === 0) throw new KmsError('NOT_FOUND', 'There is no denial with this id.');
  }

  async removeEndedDenials(): Promise<void> {
    const ended = lt(identityDenials.endsAt, this.#session.now);
    await this.#session.run((db) => db.delete(identityDenials).where(and(ended, this.#denials())));
  }

  async find(names: IdentityNames, limit: number): Promise<FoundIdentities> {
    const bindings = await this.#session.run((db) =>
      db
        .select()
        .from(identityBindings)
        .where(and(isOneOf(names.bindings), this.#bindings()))
        .limit(limit),
    );
    const denials = await this.#session.run((db) =>
      db
        .select()
        .from(identityDenials)
        .where(and(isOneOf(names.denials), this.#denials())),
    );
    return { bindings: bindings.map(withMac), denials: denials.map(withMac) };
  }

  async findRemoved({
    names,
    removedAfter,
    limit,
    ofTenant,
  }: RemovedBindingQuery): Promise<readonly IdentityBindingRecord[]> {
    // Goes from one tenant of a name to the next: what one tenant has removed is not read to find the others. In the words of the partial
    // indexes.
    const tenantOf = (found: SQL) =>
      sql`(select b.tenant_id from ${identityBindings} b where ${found} and b.removed_at is not null order by b.tenant_id limit 1)`;
    const { scope } = this.#session;
    const mine = scope.kind === 'tenant' ? sql`b.tenant_id = ${scope.tenantId}::uuid` : sql`true`;
    const removers = sql`with recursive remover (found_by, tenant_id) as (
      select n.found_by, ${tenantOf(sql`b.found_by = n.found_by and ${mine}`)} from unnest(${namesIn(names)}) as n (found_by)
      union all
      select r.found_by, ${tenantOf(sql`b.found_by = r.found_by and b.tenant_id > r.tenant_id and ${mine}`)}
        from remover r where r.tenant_id is not null
    ) select found_by, tenant_id from remover where tenant_id is not null limit ${limit}`;
    const removed = sql`select b.binding_id from ${identityBindings} b
      where b.tenant_id = r.tenant_id and b.found_by = r.found_by and b.removed_at is not null
        and b.removed_at > ${removedAfter.toISOString()}::timestamptz
      order by b.removed_at desc limit ${ofTenant}`;
    const ids = sql`array(select f.binding_id from (${removers}) r cross join lateral (${removed}) f limit ${limit})`;
    const rows = await this.#session.run((db) =>
      db.select().from(identityBindings).where(sql`${identityBindings.bindingId} = any (${ids})`),
    );
    return rows.map(withMac);
  }

  /** Those of the scope that count, in the words of the partial indexes. */
  #bindings(): SQL | undefined {
    return and(sql`removed_at is null`, within(this.#session.scope, identityBindings.tenantId));
  }

  #denials(): SQL | undefined {
    return within(this.#session.scope, identityDenials.tenantId);
  }
}

/** As one parameter, however many there are: the plan is the same for each credential. */
function isOneOf(names: readonly Uint8Array[]): SQL {
  return sql`found_by = any (${namesIn(names)})`;
}

function namesIn(names: readonly Uint8Array[]): SQL {
  const inHex = names.map((name) => Buffer.from(name).toString('hex')).join(',');
  return sql`array(select decode(name, 'hex') from unnest(string_to_array(${inHex}, ',')) as name)`;
}
