import { type ApiTokenRecord, KmsError, type TokenRecords } from '@qnsp/kms-core';
import { and, desc, eq, isNull } from 'drizzle-orm';
import { apiTokens } from '../schema/api-tokens.ts';
import { requireSeen, within } from '../scope.ts';
import type { Session } from '../session.ts';

export class DrizzleTokens implements TokenRecords {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  async insert(token: ApiTokenRecord): Promise<void> {
    requireSeen(this.#session.scope, token.tenantId);
    const inserted = await this.#session.run((db) =>
      db
        .insert(apiTokens)
        .values({ ...token, permissions: [...token.permissions] })
        .onConflictDoNothing()
        .returning({ tokenId: apiTokens.tokenId }),
    );
    if (inserted.length === 0) throw new KmsError('CONFLICT', 'The id or the hash of the token was used before.');
  }

  async list(): Promise<readonly ApiTokenRecord[]> {
    const where = within(this.#session.scope, apiTokens.tenantId);
    return this.#session.run((db) =>
      db
        .select()
        .from(apiTokens)
        .where(where)
        .orderBy(desc(apiTokens.createdAt), desc(apiTokens.tokenId))
        .prepare('list_tokens')
        .execute(),
    );
  }

  async revoke(tokenId: string): Promise<boolean> {
    const { scope, now } = this.#session;
    const where = and(eq(apiTokens.tokenId, tokenId), isNull(apiTokens.revokedAt), within(scope, apiTokens.tenantId));
    const revoked = await this.#session.run((db) =>
      db.update(apiTokens).set({ revokedAt: now }).where(where).returning({ tokenId: apiTokens.tokenId }),
    );
    return revoked.length > 0;
  }
}
