import { KmsError } from '../errors/kms-error.ts';
import { type ApiTokenRecord, hasEnded, identityOfToken, isRetirement, takesRoom } from '../access/api-token.ts';
import { fieldOf, TOKEN_PARENT } from '../model/record-fields.ts';
import type { ExpiredToken, TokenPage, TokenQuery, TokenRecords, Room } from '../ports/store.ts';
import {
  copyOf,
  type MemoryTables,
  type MemoryUnit,
  requireActiveTenant,
  requireRoomFor,
  requireSeen,
  requireSystem,
  sees,
} from './store-memory-tables.ts';

export class MemoryTokens implements TokenRecords {
  readonly #unit: MemoryUnit;

  constructor(unit: MemoryUnit) {
    this.#unit = unit;
  }

  async insert(token: ApiTokenRecord, room: Room = {}): Promise<void> {
    requireSeen(this.#unit.scope, token.tenantId);
    const tables = this.#unit.tables();
    if (token.tenantId !== null) requireActiveTenant(tables, token.tenantId);
    if (tables.tokens.has(token.tokenId) || tokenByHash(tables, token.hash) !== undefined) {
      throw new KmsError('CONFLICT', 'The id or the hash of the token was used before.');
    }
    const { tenantId } = token;
    if (tenantId !== null) {
      const used = [...tables.tokens.values()].filter((other) => {
        return other.tenantId === tenantId && takesRoom(other, this.#unit.now);
      });
      requireRoomFor(this.#unit, 'tokens', used.length, room);
    }
    tables.tokens.set(token.tokenId, copyOf(token));
  }

  async get(tokenId: string): Promise<ApiTokenRecord | undefined> {
    const token = this.#unit.tables().tokens.get(tokenId);
    return token !== undefined && sees(this.#unit.scope, token.tenantId) ? copyOf(token) : undefined;
  }

  async list({ limit, after, tenantId, lockLive }: TokenQuery): Promise<TokenPage> {
    const behind = [...this.#unit.tables().tokens.values()]
      .filter((token) => sees(this.#unit.scope, token.tenantId))
      .filter((token) => tenantId === undefined || token.tenantId === tenantId)
      .filter((token) => lockLive !== true || token.revokedAt === null)
      .filter((token) => !after || newestFirst(after, token) < 0)
      .sort(newestFirst);
    return { items: behind.slice(0, limit).map(copyOf), more: behind.length > limit };
  }

  async revoke(...revoked: readonly ApiTokenRecord[]): Promise<void> {
    const { tokens } = this.#unit.tables();
    const found = revoked.map(({ tokenId }) => tokens.get(tokenId));
    if (found.some((token) => !token || !sees(this.#unit.scope, token.tenantId) || token.revokedAt !== null))
      throw new KmsError('NOT_FOUND', 'There is no live token with this id.');
    for (const { tokenId, revokedAt, mac } of revoked) {
      const token = tokens.get(tokenId);
      if (token !== undefined) tokens.set(tokenId, copyOf({ ...token, revokedAt, mac }));
    }
  }

  async retire({ tokenId, fields, mac }: ApiTokenRecord): Promise<void> {
    const { tokens } = this.#unit.tables();
    const token = tokens.get(tokenId);
    if (!token || !sees(this.#unit.scope, token.tenantId) || token.revokedAt !== null)
      throw new KmsError('NOT_FOUND', 'There is no live token with this id.');
    if (!isRetirement(token.fields, fields))
      throw new KmsError('INTERNAL_ERROR', 'A token is only replaced, and once.');
    tokens.set(tokenId, copyOf({ ...token, fields, mac }));
  }

  async lockExpired(expiredBefore: Date, limit: number, after?: ExpiredToken): Promise<readonly ApiTokenRecord[]> {
    requireSystem(this.#unit.scope);
    return [...this.#unit.tables().tokens.values()]
      .filter((token) => hasExpired(token, expiredBefore))
      .map((token) => ({ token, expiredAt: token.expiresAt ?? expiredBefore, tokenId: token.tokenId }))
      .filter((place) => after === undefined || firstExpired(after, place) < 0)
      .sort(firstExpired)
      .slice(0, limit)
      .map(({ token }) => copyOf(token));
  }

  async remove(tokenIds: readonly string[], expiredBefore: Date): Promise<void> {
    requireSystem(this.#unit.scope);
    const { tokens } = this.#unit.tables();
    const found = tokenIds.map((tokenId) => tokens.get(tokenId));
    if (
      !found.every((token) => token !== undefined && hasExpired(token, expiredBefore)) ||
      expiredBefore > this.#unit.now
    )
      throw new KmsError('INTERNAL_ERROR', 'Only tokens that expired long ago are removed.');
    for (const tokenId of tokenIds) {
      tokens.delete(tokenId);
      this.#unit.tables().uses.delete(tokenId);
    }
  }

  async lockLineage(identity: string, limit: number): Promise<readonly ApiTokenRecord[]> {
    const seen = [...this.#unit.tables().tokens.values()].filter((token) => sees(this.#unit.scope, token.tenantId));
    const lineage = new Set([identity]);
    for (let before = 0; before < lineage.size; ) {
      before = lineage.size;
      for (const token of seen)
        if (identityOfToken(token) === token.tokenId && lineage.has(fieldOf(token.fields, TOKEN_PARENT) ?? ''))
          lineage.add(token.tokenId);
    }
    return seen
      .filter((token) => lineage.has(identityOfToken(token)) || token.tokenId === identity)
      .filter((token) => !hasEnded(token, this.#unit.now))
      .sort(newestFirst)
      .slice(0, limit)
      .map(copyOf);
  }

  async recordUses(added: ReadonlyMap<string, Date>): Promise<void> {
    requireSystem(this.#unit.scope);
    const { tokens, uses } = this.#unit.tables();
    for (const [tokenId, at] of added) {
      const last = uses.get(tokenId);
      if (tokens.has(tokenId) && (last === undefined || last < at)) uses.set(tokenId, at);
    }
  }

  async lastUses(tokenIds: readonly string[]): Promise<ReadonlyMap<string, Date>> {
    const { tokens, uses } = this.#unit.tables();
    const found = new Map<string, Date>();
    for (const tokenId of tokenIds) {
      const [token, at] = [tokens.get(tokenId), uses.get(tokenId)];
      if (token !== undefined && at !== undefined && sees(this.#unit.scope, token.tenantId)) found.set(tokenId, at);
    }
    return found;
  }
}

function hasExpired(token: ApiTokenRecord, before: Date): boolean {
  return token.tenantId !== null && token.expiresAt !== null && token.expiresAt < before;
}

function firstExpired(a: ExpiredToken, b: ExpiredToken): number {
  return a.expiredAt.getTime() - b.expiredAt.getTime() || (a.tokenId < b.tokenId ? -1 : a.tokenId > b.tokenId ? 1 : 0);
}

type Place = NonNullable<TokenQuery['after']>;

function newestFirst(a: Place, b: Place): number {
  return b.createdAt.getTime() - a.createdAt.getTime() || (a.tokenId < b.tokenId ? 1 : a.tokenId > b.tokenId ? -1 : 0);
}

export function tokenByHash({ tokens }: MemoryTables, hash: Uint8Array): ApiTokenRecord | undefined {
  return [...tokens.values()].find((token) => Buffer.compare(token.hash, hash) === 0);
}
