import { hash, randomBytes } from 'node:crypto';
import { AddressSet } from '../access/address-set.ts';
import { type ApiTokenRecord, endOfToken, identityOfToken } from '../access/api-token.ts';
import type { CredentialKind, Identity } from '../access/identity.ts';
import { effectivePermissions } from '../access/permissions.ts';
import { notAuthorized, RefusedCredential } from '../access/refused-credential.ts';
import { KmsError } from '../errors/kms-error.ts';
import { limitsOf } from '../access/token-grant.ts';
import type { MaybePromise } from '../base/maybe-promise.ts';
import type { KeyHierarchy } from '../hierarchy/key-hierarchy.ts';
import { type TokenAuthority, tokenAuthority } from '../hierarchy/token-authority.ts';
import type { TenantId } from '../model/identifiers.ts';
import { fieldOf, TOKEN_ACCESS_KEY_SALT } from '../model/record-fields.ts';
import type { ChangeFeed, FeedEvent } from '../ports/change-feed.ts';
import type { AccessKey, PresentedSignature } from '../ports/credential-verifier.ts';
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
  /** What the holder of the token signs requests with; present where it was found by that. */
  readonly accessKey?: AccessKey | undefined;
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

  /**
   * The token by whose access key a request was signed, without a promise when it is held.
   *
   * @param tokenId that which the access key id names; `undefined` where it names none
   * @throws KmsError `UNAUTHORIZED`, from `prove` for whatever does not prove a signature, and for a token that was revoked; `INTERNAL_ERROR`
   *   for one whose record somebody changed.
   */
  findSigner(tokenId: string | undefined, { prove }: Pick<PresentedSignature, 'prove'>): MaybePromise<LiveToken> {
    if (tokenId === undefined) return proven(undefined, prove);
    const name = `${SIGNER}${tokenId}`;
    const held = this.#tokens.get(name);
    if (held !== undefined) {
      prove(held.accessKey);
      return held;
    }
    return this.#tokens
      .load(name, '', () => this.#readSigner(tokenId))
      .then(
        (live) => {
          prove(live.accessKey);
          return live;
        },
        (error: unknown) => {
          // Whose token it was is nobody's to know who can't sign with it.
          if (KmsError.is(error) && error.code === 'UNAUTHORIZED')
            prove(error instanceof EndedSigner ? error.accessKey : undefined);
          throw error;
        },
      );
  }

  /** The token by whose access key a request was signed, where it is held; `undefined` where it is not. Counts nothing. */
  heldSigner(tokenId: string): LiveToken | undefined {
    return this.#tokens.peek(`${SIGNER}${tokenId}`);
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
    if (record.revokedAt !== null) throw new RefusedCredential(ownerOf(record, 'api-token'), 'revoked');
    return this.#live(record, 'api-token');
  }

  async #readSigner(tokenId: string): Promise<LiveToken> {
    const authority = await tokenAuthority(this.#hierarchy);
    const record = await this.#store.transact({ kind: 'system' }, (unit) => unit.tokens.get(tokenId));
    // One from before records of tokens had a MAC has no fields.
    if (record === undefined || fieldOf(record.fields, TOKEN_ACCESS_KEY_SALT) === undefined) throw notAuthorized();
    authority.verify(record, 'hash');
    const { fields } = record;
    const accessKey: AccessKey = {
      secret: () => authority.accessKeySecret({ tokenId, fields }) ?? randomBytes(UNGUESSABLE_BYTES),
    };
    if (record.revokedAt !== null) throw new EndedSigner(record, accessKey);
    return { ...(await this.#live(record, 'sigv4')), accessKey };
  }

  async #live(record: ApiTokenRecord, credential: CredentialKind): Promise<LiveToken> {
    const { tokenId, tenantId } = record;
    const tenantLimits = await ownLimits(this.#store, this.#hierarchy, tenantId);
    const own = identityOf(record, credential);
    const identity = tenantLimits === undefined ? own : { ...own, tenantLimits };
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

/** What the names of tokens begin with that were found by their ids. No hash in base64 has it. */
const SIGNER = 'signer ';
const UNGUESSABLE_BYTES = 43;

/** The token of an access key was revoked: said to nobody but who can sign with it. */
class EndedSigner extends RefusedCredential {
  readonly accessKey: AccessKey;

  constructor(record: ApiTokenRecord, accessKey: AccessKey) {
    super(ownerOf(record, 'sigv4'), 'revoked');
    this.accessKey = accessKey;
  }
}

function ownerOf(
  record: ApiTokenRecord,
  credential: CredentialKind,
): Pick<Identity, 'subject' | 'tenantId' | 'credential'> {
  return { subject: identityOfToken(record), tenantId: record.tenantId, credential };
}

/** Refuses what no access key made. */
function proven(accessKey: undefined, prove: PresentedSignature['prove']): never {
  prove(accessKey);
  throw notAuthorized();
}

const WITHOUT_MFA = { mfa: false } as const;

function identityOf(record: ApiTokenRecord, credential: CredentialKind): Identity {
  const { tokenId, tenantId, role, permissions } = record;
  const { keys, addresses, rate } = limitsOf(record);
  return {
    subject: identityOfToken(record),
    tenantId,
    permissions: effectivePermissions(role, permissions),
    attributes: WITHOUT_MFA,
    credential,
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
