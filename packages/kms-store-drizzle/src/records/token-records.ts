import { type ApiTokenRecord, KmsError, type TenantId, type TokenRecords } from '@qnsp/kms-core';
import { and, desc, eq, isNull, type SQL } from 'drizzle-orm';
import { apiTokens } from '../schema/api-tokens.ts';
import { requireSeen, within } from '../scope.ts';
import type { Session } from '../session.ts';
import { toTokenRecord, toTokenRow } from './token-rows.ts';

export class DrizzleTokens implements TokenRecords {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  async insert(token: ApiTokenRecord): Promise<void> {
    requireSeen(this.#session.scope, token.tenantId);
    const inserted = await this.#session.run((db) =>
      db.insert(apiTokens).values(toTokenRow(token)).onConflictDoNothing().returning({ tokenId: apiTokens.tokenId }),
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

  async list(of?: { readonly tenantId: TenantId | null }): Promise<readonly ApiTokenRecord[]> {
    const where = and(within(this.#session.scope, apiTokens.tenantId), of && ownedBy(of.tenantId));
    const rows = await this.#session.run((db) =>
      db.select().from(apiTokens).where(where).orderBy(desc(apiTokens.createdAt), desc(apiTokens.tokenId)),
    );
    return rows.map(toTokenRecord);
  }

  async revoke(token: ApiTokenRecord): Promise<void> {
    const { revokedAt, macTmkVersion, macTag } = toTokenRow(token);
    const where = and(
      eq(apiTokens.tokenId, token.tokenId),
      isNull(apiTokens.revokedAt),
      within(this.#session.scope, apiTokens.tenantId),
    );
    const revoked = await this.#session.run((db) =>
      db
        .update(apiTokens)
        .set({ revokedAt, macTmkVersion, macTag })
        .where(where)
        .returning({ tokenId: apiTokens.tokenId }),
    );
    if (revoked.length === 0) throw new KmsError('NOT_FOUND', 'There is no live token with this id.');
  }
}

function ownedBy(tenantId: TenantId | null): SQL {
  return tenantId === null ? isNull(apiTokens.tenantId) : eq(apiTokens.tenantId, tenantId);
}
