import type { AuditEvent } from '../model/audit-event.ts';
import type { ApiTokenRecord } from '../access/api-token.ts';
import type { IdentityBindingRecord, IdentityDenialRecord } from '../access/identity-binding.ts';
import type { KeyId, TenantId } from '../model/identifiers.ts';
import type { KeyRecord, KeyVersionRecord } from '../model/key.ts';
import type { ResidentKeyName } from './resident-keys.ts';
import type { MasterKeyName, MasterKeyWrap, RootRecord, TenantRecord } from '../model/tenant.ts';
import type { KeyState } from '../model/states.ts';

/** Whose rows a unit of work may see: one tenant's, or for the service's own work everybody's. */
export type StoreScope = { readonly kind: 'tenant'; readonly tenantId: TenantId } | { readonly kind: 'system' };

/**
 * The authority over every record. The contract suite (`testing/store-contract.ts`) says what an implementation owes:
 * units of work are atomic and isolated, a tenant's unit of work neither sees nor changes another tenant's rows, and a
 * store that can't be reached or does not answer in time throws `STORE_UNAVAILABLE` with `retryAfterSeconds`.
 */
export interface Store {
  /**
   * Runs a unit of work: all of its writes become durable together when it ends, or none do when it throws.
   * `work` may run only once and must not keep the unit after it ended.
   */
  transact<T>(scope: StoreScope, work: (unit: UnitOfWork) => Promise<T>): Promise<T>;
  /** Reads one key with its versions, outside any unit of work: the cold path of every crypto operation. */
  readKey(tenantId: TenantId, keyId: KeyId): Promise<KeyRecord | undefined>;
  /** Finds a token by its keyed hash, whatever tenant it belongs to. */
  findToken(hash: Uint8Array): Promise<ApiTokenRecord | undefined>;
  /** Answers when the store can serve, throws `STORE_UNAVAILABLE` otherwise. */
  ping(): Promise<void>;
}

/**
 * One atomic unit of work. Adding or changing a record of another tenant than its own throws `TENANT_MISMATCH`; a
 * record that no operation makes (two active versions, material in a destroyed version, …) throws `INTERNAL_ERROR`.
 * After a `CONFLICT` the work may continue; after any other error of a call nothing of the unit is kept.
 */
export interface UnitOfWork {
  /** The store's clock when the unit began, in whole milliseconds: the only clock that schedules and expiries know. */
  readonly now: Date;
  readonly keys: KeyRecords;
  readonly tenants: TenantRecords;
  readonly tokens: TokenRecords;
  readonly identities: IdentityRecords;
  readonly idempotency: IdempotencyRecords;
  readonly evidence: EvidenceRecords;
  readonly residents: ResidentClaims;
}

export interface KeyRecords {
  /** The key as it is now; with `lock`, nobody else changes it until the unit ends. */
  get(keyId: KeyId, options?: { readonly lock?: boolean }): Promise<KeyRecord | undefined>;
  /** Adds a key. Throws `CONFLICT` when the id was ever used. */
  insert(key: KeyRecord): Promise<void>;
  /**
   * Replaces a key whose stored revision is `expectedRevision`; throws `CONFLICT` otherwise. The new revision is the next
   * one. Versions may be added, may move forward in their state and may lose their material; nothing else of a version
   * ever changes.
   */
  update(key: KeyRecord, expectedRevision: number): Promise<void>;
  /** A page of keys, newest first. */
  list(query: KeyQuery): Promise<KeyPage>;
  /** How many of the tenant's keys there are by state and by algorithm, and how much they were used. */
  count(): Promise<KeyCounts>;
  /** Adds to the number of operations that used the tenant's keys in this month, in UTC. Only in a tenant's scope. */
  addOperations(count: number): Promise<void>;
  /** The ids of keys whose parent is this key. */
  children(keyId: KeyId): Promise<readonly KeyId[]>;
  /**
   * Up to `limit` keys for which a scheduled rotation or destruction is due now, locked, the longest due first; what
   * another node has locked is skipped, and so are the keys of shredded tenants. Only in the system scope.
   *
   * @param after where to continue: after this key in the order of what is due
   */
  lockDue(due: 'rotation' | 'destruction', limit: number, after?: DueKey): Promise<readonly KeyRecord[]>;
  /** The tenant's keys with automatic rotation, the next due first. */
  scheduledRotations(limit: number, before: Date | null): Promise<readonly KeyRecord[]>;
  /**
   * Takes up to `count` operations from the budget of a counter (a key, or one of its versions) and answers how many were
   * granted, 0 when the budget is spent or the tenant has no such key. Survives the unit only when the unit is committed.
   */
  leaseOperations(lease: OperationLease): Promise<number>;
}

/** A key's place among those that are due. */
export interface DueKey {
  /** When its rotation or destruction was due. */
  readonly at: Date;
  readonly keyId: KeyId;
}

/** A budget of operations that nodes draw blocks from. */
export interface OperationLease {
  readonly keyId: KeyId;
  /** The version that the budget belongs to, or 0 for the budget of the whole key. */
  readonly version: number;
  readonly budget: number;
  readonly count: number;
}

export interface KeyQuery {
  /** From 1 to 200. */
  readonly limit: number;
  /** Where the page starts: after this key in the order of the list. */
  readonly after: { readonly createdAt: Date; readonly keyId: KeyId } | null;
  readonly state?: KeyState;
  readonly algorithm?: string;
  readonly purpose?: string;
  readonly name?: string;
}

export interface KeyPage {
  readonly items: readonly KeyRecord[];
  /** Whether there is more after the last item. */
  readonly more: boolean;
}

export interface KeyCounts {
  readonly byState: Readonly<Record<string, number>>;
  readonly byAlgorithm: Readonly<Record<string, number>>;
  /** Operations that were added since the first of the month, in UTC. */
  readonly operationsThisMonth: number;
}

export interface TenantRecords {
  /** The tenant as it is now; with `lock`, nobody else changes it, or anything that needs it active, until the unit ends. */
  get(tenantId: TenantId, options?: { readonly lock?: boolean }): Promise<TenantRecord | undefined>;
  /** Adds a tenant. Throws `CONFLICT` when the id was ever used. */
  insert(tenant: TenantRecord): Promise<void>;
  /**
   * Stores that a tenant is shredded, with the MAC that covers it, and removes every wrap of its master key, all sealed
   * material and all sealed answers, forever: from then on `CONFLICT` answers every attempt to make or change a key of
   * the tenant, to add a master key or a token, or to claim an idempotency key. Throws `NOT_FOUND` when there is no
   * such tenant.
   */
  shred(tenant: Pick<TenantRecord, 'tenantId' | 'mac'>): Promise<void>;
  /** A page of the tenants of the scope, oldest first. */
  list(query: TenantQuery): Promise<TenantPage>;
  /**
   * Stores the MAC of a tenant that had none, and these wraps of its master keys in place of all others. System scope
   * only.
   */
  bind(tenant: Pick<TenantRecord, 'tenantId' | 'mac'>, wraps: readonly MasterKeyWrap[]): Promise<void>;
  masterKeyWraps(tenantId: TenantId): Promise<readonly MasterKeyWrap[]>;
  /** Throws `CONFLICT` when a root wraps this version of the master key already, and for a root that is not in use. */
  addMasterKeyWraps(wraps: readonly MasterKeyWrap[]): Promise<void>;
  /** Up to `limit` master keys that have no wrap under this root. System scope only. */
  masterKeysLacking(root: RootRecord, limit: number): Promise<readonly MasterKeyName[]>;
  /** How many versions of master keys there are, and how many of them each root wraps. System scope only. */
  countMasterKeys(): Promise<MasterKeyCounts>;
  /** The check values of the roots in use. System scope only. */
  roots(): Promise<readonly RootRecord[]>;
  /** Throws `CONFLICT` when the root is in use already. System scope only. */
  addRoot(root: RootRecord): Promise<void>;
  /**
   * Retires a root and removes every wrap under it. System scope only. Throws `CONFLICT` when it is the last root, or
   * when a master key has no wrap under another one; `NOT_FOUND` when it is not in use.
   */
  removeRoot(root: RootRecord): Promise<void>;
  /** Lets one unit of work at a time look at the roots and change them. System scope only. */
  lockRoots(): Promise<void>;
}

export interface TenantQuery {
  /** From 1 to 200. */
  readonly limit: number;
  /** Where the page starts: after this tenant in the order of the list; default: at the beginning. */
  readonly after?: { readonly createdAt: Date; readonly tenantId: TenantId } | null;
}

export interface TenantPage {
  readonly items: readonly TenantRecord[];
  /** Whether there is more after the last item. */
  readonly more: boolean;
}

export interface MasterKeyCounts {
  readonly total: number;
  readonly byRoot: readonly (RootRecord & { readonly wraps: number })[];
}

/** A promise to store a resident key, or, for an object that nothing knows, the moment at which it was first seen. */
export interface ResidentClaim {
  readonly providerId: string;
  readonly name: ResidentKeyName;
  /** `create` before a key is made in the HSM, `orphan` for an object without a version. */
  readonly kind: 'create' | 'orphan';
  readonly claimedAt: Date;
  /**
   * Tells this claim from every other one of its name, earlier or later. A time does not: a clock that is put back, or two
   * units that begin in one millisecond, repeat it.
   */
  readonly mark: string;
}

/**
 * What the store knows of objects in HSMs beside the versions of keys. A key is claimed before it is made in the HSM and
 * its claim is released in the unit that stores its version, so what a crash left behind is told from what is under way.
 */
export interface ResidentClaims {
  /** Throws `CONFLICT` when this version of the key is claimed in this HSM already. `claimedAt` is the time of the unit. */
  claim(claim: Omit<ResidentClaim, 'claimedAt' | 'mark'>): Promise<ResidentClaim>;
  /**
   * Puts a new claim, of the time of the unit, in place of this one. Answers `undefined`, and claims nothing, where this
   * one is there no longer, even if the name was claimed or this claim was renewed since.
   */
  renew(claim: ResidentClaim): Promise<ResidentClaim | undefined>;
  /**
   * Releases this claim, and never a later one of its name. Answers whether it was there: of two units that release it one
   * gets `true`.
   */
  release(claim: ResidentClaim): Promise<boolean>;
  /** All claims on objects of a provider. System scope only. */
  claims(providerId: string): Promise<readonly ResidentClaim[]>;
  /** The versions whose material is in a provider's HSM, but those of shredded tenants. System scope only. */
  versions(providerId: string): Promise<readonly ResidentVersion[]>;
}

/** A version of a key whose material is in an HSM. */
export interface ResidentVersion {
  readonly name: ResidentKeyName;
  readonly handle: Uint8Array;
  readonly state: KeyVersionRecord['state'];
}

export interface TokenRecords {
  /** Adds a token. Throws `CONFLICT` when its id or its hash was ever used, or its tenant was shredded. */
  insert(token: ApiTokenRecord): Promise<void>;
  /** The token as it is now; with `lock`, nobody else changes it until the unit ends. */
  get(tokenId: string, options?: { readonly lock?: boolean }): Promise<ApiTokenRecord | undefined>;
  /** A page of the tokens of the scope, newest first. */
  list(query: TokenQuery): Promise<TokenPage>;
  /**
   * Stores when tokens were revoked, and the MACs that cover it. Throws `NOT_FOUND`, and revokes none, when the scope lacks a
   * live token with one of the ids.
   */
  revoke(...tokens: readonly ApiTokenRecord[]): Promise<void>;
  /**
   * Stores until when a token is taken that was replaced: its fields, which gained that one, and their MAC. Beside this and its
   * revocation nothing of a token ever changes. Throws `NOT_FOUND` when the scope lacks a live token with the id, `INTERNAL_ERROR`
   * for any other change and for one that was replaced before.
   */
  retire(token: ApiTokenRecord): Promise<void>;
  /**
   * Up to `limit` live tokens of an identity, and of those that descend from it, level by level, newest first: neither those that
   * were revoked nor those that ended by themselves before the time of the unit. Nobody else changes them until the unit ends. An
   * empty answer means that none is live, even if the call waited for others that created tokens or ended them in the meantime.
   *
   * Whether those in between are live does not matter. An identity descends from the parent that the token with that very id names:
   * what another record says of it does not count, as somebody may have written it into the database. No record makes this fail.
   */
  lockLineage(identity: string, limit: number): Promise<readonly ApiTokenRecord[]>;
  /** Writes down when tokens were used, to the hour, where that is later than what is there. Passes over those that are not there. Only in the system scope. */
  recordUses(uses: ReadonlyMap<string, Date>): Promise<void>;
  /** When tokens of the scope were last used, by id; nothing of those of which that was never written down. */
  lastUses(tokenIds: readonly string[]): Promise<ReadonlyMap<string, Date>>;
  /**
   * Up to `limit` tokens of tenants that expired before this time, locked, those that expired first at the beginning; what
   * another node has locked is passed over. None of the platform's. Only in the system scope.
   *
   * @param after where to go on: behind this token in that order
   */
  lockExpired(expiredBefore: Date, limit: number, after?: ExpiredToken): Promise<readonly ApiTokenRecord[]>;
  /**
   * Removes tokens of tenants that expired before this time. Throws `INTERNAL_ERROR`, and removes none, when one did not or is of
   * the platform. Only in the system scope.
   */
  remove(tokenIds: readonly string[], expiredBefore: Date): Promise<void>;
}

/** A token's place among those that expired. */
export interface ExpiredToken {
  readonly expiredAt: Date;
  readonly tokenId: string;
}

export interface TokenQuery {
  /** From 1 to 200. */
  readonly limit: number;
  /** Where the page starts: after this token in the order of the list; default: at the beginning. */
  readonly after?: { readonly createdAt: Date; readonly tokenId: string } | null;
  /** Only those of one tenant, or for `null` the platform's. */
  readonly tenantId?: TenantId | null;
  /** Only those that were not revoked, and nobody else changes them until the unit ends. */
  readonly lockLive?: boolean;
}

export interface TokenPage {
  readonly items: readonly ApiTokenRecord[];
  /** Whether there is more after the last item. */
  readonly more: boolean;
}

/** What tenants let those do whom issuers of credentials vouch for, and whom they shut out. */
export interface IdentityRecords {
  /** Adds a binding. Throws `CONFLICT` when its id was ever used, or its tenant was shredded. */
  insert(binding: IdentityBindingRecord): Promise<void>;
  /** The binding as it is now, unless it was removed; with `lock`, nobody else changes it until the unit ends. */
  get(bindingId: string, options?: { readonly lock?: boolean }): Promise<IdentityBindingRecord | undefined>;
  /** A page of the bindings of the scope that were not removed, newest first. */
  list(query: IdentityBindingQuery): Promise<IdentityBindingPage>;
  /** How many bindings of the scope were not removed, and how many denials there are. */
  count(): Promise<{ readonly bindings: number; readonly denials: number }>;
  /**
   * Stores when a binding was removed, and the MAC that covers it; nothing else of a binding ever changes. Throws `NOT_FOUND`
   * when the scope has no such binding that was not removed.
   */
  remove(binding: IdentityBindingRecord): Promise<void>;
  /** Adds a denial. Throws `CONFLICT` when its id was ever used, or its tenant was shredded. */
  insertDenial(denial: IdentityDenialRecord): Promise<void>;
  /** Removes the denials of the scope that have ended. */
  removeEndedDenials(): Promise<void>;
  /**
   * The bindings of the scope that were not removed and are found by one of these, up to `limit`, in no order, and all denials that
   * are.
   */
  find(names: IdentityNames, limit: number): Promise<FoundIdentities>;
}

/** What bindings and denials are found by. */
export interface IdentityNames {
  readonly bindings: readonly Uint8Array[];
  readonly denials: readonly Uint8Array[];
}

export interface FoundIdentities {
  readonly bindings: readonly IdentityBindingRecord[];
  readonly denials: readonly IdentityDenialRecord[];
}

export interface IdentityBindingQuery {
  /** From 1 to 200. */
  readonly limit: number;
  /** Where the page starts: after this binding in the order of the list; default: at the beginning. */
  readonly after?: { readonly createdAt: Date; readonly bindingId: string } | null;
}

export interface IdentityBindingPage {
  readonly items: readonly IdentityBindingRecord[];
  /** Whether there is more after the last item. */
  readonly more: boolean;
}

export interface EvidenceRecords {
  /** Makes events of the scope durable with the unit. */
  append(events: readonly AuditEvent[]): Promise<void>;
}

/** The stored outcome of a mutating call. */
export interface IdempotencyRecord {
  readonly key: string;
  /** A keyed hash of the request: another request under the same key is a mistake. */
  readonly fingerprint: Uint8Array;
  /** The sealed answer. */
  readonly answer: Uint8Array;
  /** The moment from which the answer is no longer returned. */
  readonly expiresAt: Date;
}

export interface IdempotencyRecords {
  /**
   * Claims a key for this unit of work. Answers the finished record of an earlier call, or `undefined` when the key is
   * free and now ours. A concurrent claim of the same key waits until the first unit ends. Throws `CONFLICT` when the
   * tenant was shredded.
   */
  claim(key: string, fingerprint: Uint8Array): Promise<IdempotencyRecord | undefined>;
  /** Stores the answer of the claimed key, to expire exactly `ttlSeconds` after `now` of the unit. */
  complete(key: string, answer: Uint8Array, ttlSeconds: number): Promise<void>;
}
