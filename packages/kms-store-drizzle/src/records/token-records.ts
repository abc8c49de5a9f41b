import { KmsError, type TenantId } from '@qnsp/kms-core';
import type { ApiTokenRecord, ExpiredToken, TokenPage, TokenQuery, TokenRecords, Room } from '@qnsp/kms-core/ports';
import { and, asc, desc, eq, inArray, isNull, type SQL, sql } from 'drizzle-orm';
import { apiTokens } from '../schema/api-tokens.ts';
import { tokenUses } from '../schema/token-uses.ts';
import { requireSeen, requireSystem, within } from '../driver/scope.ts';
import type { Session } from '../driver/session.ts';
import { requireRoom } from './room.ts';
import { toTokenRecord, toTokenRow } from './token-rows.ts';

export class DrizzleTokens implements TokenRecords {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  async insert(token: ApiTokenRecord, { atMost }: Room = {}): Promise<void> {
    requireSeen(this.#session.scope, token.tenantId);
    const { tokenId: id, tenantId } = apiTokens;
    const inserted = await this.#session.run((db) =>
      db
        .insert(apiTokens)
        .values(toTokenRow(token))
        .onConflictDoNothing()
        .returning({ used: requireRoom('tokens', { id, tenantId }, atMost) }),
    );
    if (inserted.length === 0) throw new KmsError('CONFLICT', 'The id or the hash of the token was used before.');
  }

  async get(tokenId: string, options: { readonly lock?: boolean } = {}): Promise<ApiTokenRecord | undefined> {
    const where = and(eq(apiTokens.tokenId, tokenId), within(this.#session.scope, apiTokens.tenantId));
    const [row] = await this.#session.run((db) => {
      const query = db.select().from(apiTokens).where(where);
      return options.lock ? query.for('update') : query;
    });
    return row === undefined ? undefined : toTokenRecord(row);
  }

  async list({ limit, after, tenantId, lockLive }: TokenQuery): Promise<TokenPage> {
    const where = and(
      within(this.#session.scope, apiTokens.tenantId),
      tenantId === undefined ? undefined : ownedBy(tenantId),
      lockLive === true ? isNull(apiTokens.revokedAt) : undefined,
      after
        ? sql`(${apiTokens.createdAt}, ${apiTokens.tokenId}) < (${timeOf(after.createdAt)}, ${after.tokenId}::uuid)`
        : undefined,
    );
    const rows = await this.#session.run((db) => {
      const query = db
        .select()
        .from(apiTokens)
        .where(where)
        .orderBy(desc(apiTokens.createdAt), desc(apiTokens.tokenId))
        .limit(limit + 1);
      return lockLive === true ? query.for('update') : query;
    });
    return { items: rows.slice(0, limit).map(toTokenRecord), more: rows.length > limit };
  }

  async revoke(...tokens: readonly ApiTokenRecord[]): Promise<void> {
    if (tokens.length === 0) return;
    const values = sql.join(tokens.map(revocationOf), sql`, `);
    const mayChange = within(this.#session.scope, apiTokens.tenantId) ?? sql`true`;
    const revoked = await this.#session.run((db) =>
      db
        .update(apiTokens)
        .set({
          revokedAt: sql`v.revoked_at`,
          macFormat: sql`v.mac_format`,
          macTmkVersion: sql`v.mac_tmk_version`,
          macTag: sql`v.mac_tag`,
        })
        .from(sql`(values ${values}) as v (token_id, revoked_at, mac_format, mac_tmk_version, mac_tag)`)
        .where(and(sql`${apiTokens.tokenId} = v.token_id`, isNull(apiTokens.revokedAt), mayChange))
        .returning({ tokenId: apiTokens.tokenId }),
    );
    // All or none: the unit of work is not kept after this.
    if (revoked.length !== tokens.length) throw new KmsError('NOT_FOUND', 'There is no live token with this id.');
  }

  async retire(token: ApiTokenRecord): Promise<void> {
    const { fields, macFormat, macTmkVersion, macTag } = toTokenRow(token);
    const mine = within(this.#session.scope, apiTokens.tenantId);
    // That the field of a replaced token is the only one that is new is what the database sees to.
    const retired = await this.#session.run((db) =>
      db
        .update(apiTokens)
        .set({ fields, macFormat, macTmkVersion, macTag })
        .where(and(eq(apiTokens.tokenId, token.tokenId), isNull(apiTokens.revokedAt), mine))
        .returning({ tokenId: apiTokens.tokenId }),
    );
    if (retired.length === 0) throw new KmsError('NOT_FOUND', 'There is no live token with this id.');
  }

  async lockLineage(identity: string, limit: number): Promise<readonly ApiTokenRecord[]> {
    const mine = within(this.#session.scope, apiTokens.tenantId);
    // A step for each level; what was there already is left out, so that a circle that somebody wrote ends.
    const lineage = sql`
      with recursive lineage (identity) as (
        select ${identity}::text
        union
        select token_id::text from ${apiTokens} join lineage on fields ? 'parentTokenId' and fields ->> 'parentTokenId' = lineage.identity
        where ${and(sql`${IDENTITY} = token_id::text`, mine)}
      )
      select case when identity ~ ${UUID} then identity::uuid end from lineage
      union all
      select token_id from ${apiTokens} join lineage on fields ? '!identity' and fields ->> '!identity' = lineage.identity`;
    const where = and(sql`${apiTokens.tokenId} in (${lineage})`, isLiveAt(this.#session.now), mine);
    for (;;) {
      const rows = await this.#session.run((db) =>
        db
          .select()
          .from(apiTokens)
          .where(where)
          .orderBy(desc(apiTokens.createdAt), desc(apiTokens.tokenId))
          .limit(limit)
          .for('update'),
      );
      if (rows.length > 0) return rows.map(toTokenRecord);
      // A statement that waited for a lock sees nothing that was created meanwhile, so another one looks: who ended the parent had
      // to wait for the creation first.
      const left = await this.#session.run((db) =>
        db.select({ tokenId: apiTokens.tokenId }).from(apiTokens).where(where).limit(1),
      );
      if (left.length === 0) return [];
    }
  }

  async recordUses(uses: ReadonlyMap<string, Date>): Promise<void> {
    requireSystem(this.#session.scope);
    if (uses.size === 0) return;
    // In one order, so that two nodes do not wait for each other.
    const sorted = [...uses].sort(([a], [b]) => (a < b ? -1 : 1));
    const values = sql.join(
      sorted.map(([tokenId, at]) => sql`(${tokenId}::uuid, ${timeOf(at)})`),
      sql`, `,
    );
    await this.#session.run((db) =>
      db
        .insert(tokenUses)
        .select(
          sql`select t.token_id, t.tenant_id, v.used_at from (values ${values}) as v (token_id, used_at)
            join ${apiTokens} t on t.token_id = v.token_id order by t.token_id`,
        )
        .onConflictDoUpdate({
          target: tokenUses.tokenId,
          set: { usedAt: sql`excluded.used_at` },
          setWhere: sql`${tokenUses.usedAt} < excluded.used_at`,
        }),
    );
  }

  async lastUses(tokenIds: readonly string[]): Promise<ReadonlyMap<string, Date>> {
    if (tokenIds.length === 0) return new Map();
    const where = and(inArray(tokenUses.tokenId, [...tokenIds]), within(this.#session.scope, tokenUses.tenantId));
    const rows = await this.#session.run((db) => db.select().from(tokenUses).where(where));
    return new Map(rows.map(({ tokenId, usedAt }) => [tokenId, usedAt]));
  }

  async lockExpired(expiredBefore: Date, limit: number, after?: ExpiredToken): Promise<readonly ApiTokenRecord[]> {
    requireSystem(this.#session.scope);
    const rest = after && sql`(${EXPIRY}, ${apiTokens.tokenId}) > (${timeOf(after.expiredAt)}, ${after.tokenId}::uuid)`;
    const rows = await this.#session.run((db) =>
      db
        .select()
        .from(apiTokens)
        .where(and(OF_TENANTS, sql`${EXPIRY} < ${timeOf(expiredBefore)}`, rest))
        .orderBy(asc(EXPIRY), asc(apiTokens.tokenId))
        .limit(limit)
        .for('update', { skipLocked: true }),
    );
    return rows.map(toTokenRecord);
  }

  async remove(tokenIds: readonly string[], expiredBefore: Date): Promise<void> {
    requireSystem(this.#session.scope);
    if (tokenIds.length === 0) return;
    // Without this the database removes no token, and with it none that ended later.
    await this.#session.run((db) =>
      db.execute(sql`select set_config('kms.remove_tokens_before', ${expiredBefore.toISOString()}, true)`),
    );
    const removed = await this.#session.run((db) =>
      db
        .delete(apiTokens)
        .where(inArray(apiTokens.tokenId, [...tokenIds]))
        .returning({ tokenId: apiTokens.tokenId }),
    );
    if (removed.length !== tokenIds.length)
      throw new KmsError('INTERNAL_ERROR', 'A token that is to be removed is not there.');
  }
}

/** Who a token is, in the words of the index. */
const IDENTITY = sql`coalesce(fields ->> '!identity', token_id::text)`;
/** What PostgreSQL can read as the id of a token: the rest is what somebody wrote into the database. */
const UUID = '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$';
/** In the words of the partial index. */
const EXPIRY = sql`expires_at`;
const OF_TENANTS = sql`tenant_id is not null`;

/** What was neither revoked nor ended by itself; an end that is no number is none. */
function isLiveAt(now: Date): SQL | undefined {
  return and(
    isNull(apiTokens.revokedAt),
    sql`(expires_at is null or expires_at > ${timeOf(now)})`,
    sql`case when jsonb_typeof(fields -> '!overlapEnd') = 'number' then (fields ->> '!overlapEnd')::numeric > ${now.getTime()}::bigint else true end`,
  );
}

/** What changes of a token, as a row of values. */
function revocationOf(token: ApiTokenRecord): SQL {
  const { tokenId, revokedAt, macFormat, macTmkVersion, macTag } = toTokenRow(token);
  return sql`(${tokenId}::uuid, ${revokedAt && timeOf(revokedAt)}, ${macFormat}::integer, ${macTmkVersion}::integer, ${sql.param(macTag, apiTokens.macTag)}::bytea)`;
}

function timeOf(instant: Date): SQL {
  return sql`${instant.toISOString()}::timestamptz`;
}

function ownedBy(tenantId: TenantId | null): SQL {
  return tenantId === null ? isNull(apiTokens.tenantId) : eq(apiTokens.tenantId, tenantId);
}
