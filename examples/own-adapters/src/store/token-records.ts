import { KmsError } from '@qnsp/kms-core';
import {
  type ApiTokenRecord,
  type ExpiredToken,
  fieldOf,
  identityOfToken,
  isRetirement,
  type Room,
  TOKEN_OVERLAP_END,
  TOKEN_PARENT,
  type TokenPage,
  type TokenQuery,
  type TokenRecords,
} from '@qnsp/kms-core/ports';
import type { Row } from './database.ts';
import { fromText, toText } from './record-text.ts';
import type { Unit } from './unit.ts';

export class SqliteTokens implements TokenRecords {
  readonly #unit: Unit;

  constructor(unit: Unit) {
    this.#unit = unit;
  }

  async insert(token: ApiTokenRecord, { atMost }: Room = {}): Promise<void> {
    const { database } = this.#unit;
    const { tokenId, hash, tenantId, createdAt, expiresAt, revokedAt } = token;
    this.#unit.requireSeen(tenantId);
    if (tenantId !== null) this.#unit.requireActive(tenantId);
    if (database.row('select 1 from tokens where token_id = ? or hash = ?', tokenId, hash) !== undefined)
      throw new KmsError('CONFLICT', 'The id or the hash of the token was used before.');
    const used = `select count(*) as used from tokens where tenant_id = ? and revoked_at is null and overlap_end is null
      and (expires_at is null or expires_at > ?)`;
    if (tenantId !== null) this.#unit.requireRoom('tokens', atMost, used, tenantId, this.#unit.now.getTime());
    database.run(
      'insert into tokens values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
      tokenId,
      hash,
      tenantId,
      createdAt.getTime(),
      expiresAt?.getTime() ?? null,
      revokedAt?.getTime() ?? null,
      identityOfToken(token),
      fieldOf(token.fields, TOKEN_PARENT) ?? null,
      fieldOf(token.fields, TOKEN_OVERLAP_END)?.getTime() ?? null,
      toText(token),
    );
  }

  async get(tokenId: string): Promise<ApiTokenRecord | undefined> {
    const row = this.#unit.database.row('select record from tokens where token_id = ?', tokenId);
    const token = row && toToken(row);
    return token !== undefined && this.#unit.sees(token.tenantId) ? token : undefined;
  }

  async list({ limit, after, tenantId, lockLive }: TokenQuery): Promise<TokenPage> {
    const { database, only } = this.#unit;
    const rows = database.rows(
      `select record from tokens where (?1 is null or tenant_id = ?1) and (?2 = 0 or tenant_id is ?3)
        and (?4 = 0 or revoked_at is null) and (?5 is null or (created_at, token_id) < (?5, ?6))
        order by created_at desc, token_id desc limit ?7`,
      only,
      Number(tenantId !== undefined),
      tenantId ?? null,
      Number(lockLive === true),
      after?.createdAt.getTime() ?? null,
      after?.tokenId ?? null,
      limit + 1,
    );
    return { items: rows.slice(0, limit).map(toToken), more: rows.length > limit };
  }

  async revoke(...revoked: readonly ApiTokenRecord[]): Promise<void> {
    const found = await Promise.all(revoked.map(({ tokenId }) => this.get(tokenId)));
    if (found.some((token) => token === undefined || token.revokedAt !== null))
      throw new KmsError('NOT_FOUND', 'There is no live token with this id.');
    for (const [index, { tokenId, revokedAt, mac }] of revoked.entries()) {
      this.#unit.database.run(
        'update tokens set revoked_at = ?, record = ? where token_id = ?',
        revokedAt?.getTime() ?? null,
        toText({ ...found[index], revokedAt, mac }),
        tokenId,
      );
      this.#unit.changes.push({ kind: 'token', tokenId });
    }
  }

  async retire({ tokenId, fields, mac }: ApiTokenRecord): Promise<void> {
    const token = await this.get(tokenId);
    if (token === undefined || token.revokedAt !== null)
      throw new KmsError('NOT_FOUND', 'There is no live token with this id.');
    if (!isRetirement(token.fields, fields))
      throw new KmsError('INTERNAL_ERROR', 'A token is only replaced, and once.');
    this.#unit.database.run(
      'update tokens set overlap_end = ?, record = ? where token_id = ?',
      fieldOf(fields, TOKEN_OVERLAP_END)?.getTime() ?? null,
      toText({ ...token, fields, mac }),
      tokenId,
    );
    this.#unit.changes.push({ kind: 'token', tokenId });
  }

  async lockLineage(identity: string, limit: number): Promise<readonly ApiTokenRecord[]> {
    const { database, only, now } = this.#unit;
    const rows = database.rows(
      `with recursive lineage (identity) as (
        select ?1 union select t.identity from tokens t join lineage l on t.parent = l.identity
          where t.identity = t.token_id and (?2 is null or t.tenant_id = ?2)
      )
      select record from tokens where (identity in (select identity from lineage) or token_id = ?1)
        and revoked_at is null and (expires_at is null or expires_at > ?3) and (overlap_end is null or overlap_end > ?3)
        and (?2 is null or tenant_id = ?2) order by created_at desc, token_id desc limit ?4`,
      identity,
      only,
      now.getTime(),
      limit,
    );
    return rows.map(toToken);
  }

  async recordUses(uses: ReadonlyMap<string, Date>): Promise<void> {
    this.#unit.requireSystem();
    for (const [tokenId, at] of uses)
      this.#unit.database.run(
        `insert into token_uses select token_id, ?2 from tokens where token_id = ?1
          on conflict do update set used_at = max(used_at, excluded.used_at)`,
        tokenId,
        at.getTime(),
      );
  }

  async lastUses(tokenIds: readonly string[]): Promise<ReadonlyMap<string, Date>> {
    const { database, only } = this.#unit;
    const found = new Map<string, Date>();
    for (const tokenId of tokenIds) {
      const row = database.row(
        `select used_at from token_uses natural join tokens where token_id = ?1 and (?2 is null or tenant_id = ?2)`,
        tokenId,
        only,
      );
      if (row !== undefined) found.set(tokenId, new Date(Number(row['used_at'])));
    }
    return found;
  }

  async lockExpired(expiredBefore: Date, limit: number, after?: ExpiredToken): Promise<readonly ApiTokenRecord[]> {
    this.#unit.requireSystem();
    const rows = this.#unit.database.rows(
      `select record from tokens where tenant_id is not null and expires_at < ?1
        and (?2 is null or (expires_at, token_id) > (?2, ?3)) order by expires_at, token_id limit ?4`,
      expiredBefore.getTime(),
      after?.expiredAt.getTime() ?? null,
      after?.tokenId ?? null,
      limit,
    );
    return rows.map(toToken);
  }

  async remove(tokenIds: readonly string[], expiredBefore: Date): Promise<void> {
    this.#unit.requireSystem();
    const { database, now } = this.#unit;
    const isLongExpired = (tokenId: string): boolean =>
      database.row(
        'select 1 from tokens where token_id = ? and tenant_id is not null and expires_at < ?',
        tokenId,
        expiredBefore.getTime(),
      ) !== undefined;
    if (expiredBefore > now || !tokenIds.every(isLongExpired))
      throw new KmsError('INTERNAL_ERROR', 'Only tokens that expired long ago are removed.');
    for (const tokenId of tokenIds) {
      database.run('delete from tokens where token_id = ?', tokenId);
      this.#unit.changes.push({ kind: 'token', tokenId });
    }
  }
}

export function toToken(row: Row): ApiTokenRecord {
  // As insert and revoke wrote it, or its MAC is wrong.
  return fromText(row['record']) as ApiTokenRecord;
}
