import { hash, randomBytes } from 'node:crypto';
import { AddressSet } from '../access/address-set.ts';
import { type ApiTokenRecord, endOfToken, identityOfToken } from '../access/api-token.ts';
import type { Identity } from '../access/identity.ts';
import { effectivePermissions } from '../access/permissions.ts';
import { notAuthorized, RefusedCredential } from '../access/refused-credential.ts';
import { limitsOf } from '../access/token-grant.ts';
import type { MaybePromise } from '../base/maybe-promise.ts';
import type { KeyHierarchy } from '../hierarchy/key-hierarchy.ts';
import { type TokenAuthority, tokenAuthority } from '../hierarchy/token-authority.ts';
import type { TenantId } from '../model/identifiers.ts';
import type { ChangeFeed, FeedEvent } from '../ports/change-feed.ts';
import type { MemoryCache } from '../ports/memory-cache.ts';
import type { Store } from '../ports/store.ts';
import { type CacheCounts, FreshCache } from './fresh-cache.ts';
import { ownLimits } from './own-limits.ts';
import { type NotedUse, TokenUses } from './token-uses.ts';

/** A token that was not revoked when it was read. It may have ended since. */
export interface LiveToken {
  readonly tokenId: string;
  /** When it ends by itself: it expires, or its overlap with the one that replaced it is over. */
  readonly endsAt: Date | null;
  readonly identity: Identity;
  /** Until when its use is noted. */
  readonly noted: NotedUse;
}

/** What a token ring may hold tokens in; without `memory` it reads a token for every use. */
export interface TokenRingCaches {
  readonly feed: ChangeFeed;
  readonly memory?: MemoryCache<LiveToken> | undefined;
}

/**
 * Finds tokens for use, and holds live ones for as long as the change feed proves that they were not revoked. What is
 * not there, or was revoked, is asked for again each time.
 */
export class TokenRing {
  readonly #store: Store;
  readonly #hierarchy: KeyHierarchy;
  /** Of this process only: what is held can be found by nothing that is stored. */
  readonly #salt = randomBytes(32).toString('base64');
  readonly #tokens: FreshCache<LiveToken>;
  /** When tokens were used. */
  readonly uses = new TokenUses();

  constructor(store: Store, hierarchy: KeyHierarchy, { feed, memory }: TokenRingCaches) {
    this.#store = store;
    this.#hierarchy = hierarchy;
    this.#tokens = new FreshCache(feed, memory, bytesOfToken);
    feed.subscribe((event) => this.#onEvent(event));
  }

  /**
   * A token for use, without a promise when it is held.
   *
   * @throws KmsError `UNAUTHORIZED` for an unknown and a revoked one; `INTERNAL_ERROR` for one whose record somebody changed.
   */
  find(token: string): MaybePromise<LiveToken> {
    // Under a hash, so that memory holds no token that could be presented. One call of SHA-256: the HMAC that the stored
    // record is found by takes five times as long.
    const name = hash('sha256', this.#salt + token, 'base64');
    return this.#tokens.get(name) ?? this.#tokens.load(name, '', () => this.#read(token));
  }

  /** Whether a token is held, so that `find` asks nobody for it. */
  holds(token: string): boolean {
    return this.#tokens.peek(hash('sha256', this.#salt + token, 'base64')) !== undefined;
  }

  /** Drops what is held of a token: its revocation takes effect here from now on. */
  forget(tokenId: string): void {
    this.#tokens.forgetWhere((live) => live.tokenId === tokenId);
  }

  /** Drops what is held of the tokens of a tenant. */
  forgetTenant(tenantId: TenantId): void {
    this.#tokens.forgetWhere(({ identity }) => identity.tenantId === tenantId);
  }

  get counts(): CacheCounts {
    return this.#tokens.counts;
  }

  /** How many tokens are held. */
  get held(): number {
    return this.#tokens.memory?.size ?? 0;
  }

  #onEvent(event: FeedEvent): void {
    if (event.kind === 'token') this.forget(event.tokenId);
    else if (event.kind === 'tenant') this.forgetTenant(event.tenantId);
    else if (event.kind === 'gap') this.#tokens.forgetAll();
  }

  async #read(token: string): Promise<LiveToken> {
    const record = await this.#readAuthentic(await tokenAuthority(this.#hierarchy), token);
    if (record === undefined) throw notAuthorized();
    const { tokenId, tenantId } = record;
    const subject = identityOfToken(record);
    if (record.revokedAt !== null)
      throw new RefusedCredential({ subject, tenantId, credential: 'api-token' }, 'revoked');
    const tenantLimits = await ownLimits(this.#store, this.#hierarchy, tenantId);
    const identity = tenantLimits === undefined ? identityOf(record) : { ...identityOf(record), tenantLimits };
    return { tokenId, endsAt: endOfToken(record), identity, noted: { until: 0 } };
  }

  async #readAuthentic(authority: TokenAuthority, token: string): Promise<ApiTokenRecord | undefined> {
    const record = await this.#store.findToken(authority.hash(token));
    if (record !== undefined) {
      authority.verify(record, 'hash');
      return record;
    }
    const legacy = await this.#store.findToken(authority.legacyHash(token));
    if (legacy !== undefined) authority.verify(legacy, 'legacy-hash');
    return legacy;
  }
}

const WITHOUT_MFA = { mfa: false } as const;

function identityOf(record: ApiTokenRecord): Identity {
  const { tokenId, tenantId, role, permissions } = record;
  const { keys, addresses, rate } = limitsOf(record);
  return {
    subject: identityOfToken(record),
    tenantId,
    permissions: effectivePermissions(role, permissions),
    attributes: WITHOUT_MFA,
    credential: 'api-token',
    keys: keys && new Set(keys),
    addresses: addresses && new AddressSet(addresses),
    rate,
    expiresAt: endOfToken(record),
    tokenId,
  };
}

const TOKEN_BYTES = 1200;
const BYTES_OF_LISTED = 128;

function bytesOfToken({ identity: { permissions, keys, addresses } }: LiveToken): number {
  return (
    TOKEN_BYTES + 64 * permissions.size + BYTES_OF_LISTED * ((keys?.size ?? 0) + 2 * (addresses?.blocks.length ?? 0))
  );
}
