import type { AuditEvent } from '../model/audit-event.ts';
import type { ApiTokenRecord } from '../access/api-token.ts';
import type { ApprovalRecord, ApprovalState } from '../model/approval.ts';
import type { IdentityBindingRecord, IdentityDenialRecord } from '../access/identity-binding.ts';
import type { KeyId, TenantId } from '../model/identifiers.ts';
import type { KeyRecord, KeyVersionRecord } from '../model/key.ts';
import type { MigrationRecords } from './migration-records.ts';
import type { ResidentKeyName } from './resident-keys.ts';
import type { MasterKeyName, MasterKeyWrap, RootRecord, TenantRecord } from '../model/tenant.ts';
import type { KeyState } from '../model/states.ts';

/** Whose rows a unit of work may see: one tenant's, or for the service's own work everybody's. */
export type StoreScope = { readonly kind: 'tenant'; readonly tenantId: TenantId } | { readonly kind: 'system' };

/** The key that a unit of work locks before anything else, with what it gives to {@link KeyRecords.get}. */
export interface FirstLock {
  readonly keyId: KeyId;
  readonly seen?: KeyRecord | undefined;
}

/**
 * The authority over every record. The contract suite (`testing/store-contract.ts`) says what an implementation owes:
 * units of work are atomic and isolated, a tenant's unit of work neither sees nor changes another tenant's rows, and a
 * store that can't be reached or does not answer in time throws `STORE_UNAVAILABLE` with `retryAfterSeconds`.
 */
export interface Store {
  /**
   * Runs a unit of work: all of its writes become durable together when it ends, or none do when it throws.
   * `work` may run only once and must not keep the unit after it ended.
   *
   * @param first what the work does first: a store may ask for it together with the beginning of the unit. It may as well ignore it, and
   *   the work may do something else.
   */
  transact<T>(scope: StoreScope, work: (unit: UnitOfWork) => Promise<T>, first?: FirstLock): Promise<T>;
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
  readonly seals: SealRecords;
  readonly migrations: MigrationRecords;
  readonly approvals: ApprovalRecords;
}

/** The keys of a unit of work. */
export interface KeyRecords {
  /**
   * The key as it is now; with `lock`, nobody else changes it until the unit ends. If the stored record has the revision and the MAC
   * of `seen`, a store need not read the rest of it: it may answer `seen` itself.
   */
  get(
    keyId: KeyId,
    options?: { readonly lock?: boolean; readonly seen?: KeyRecord | undefined },
  ): Promise<KeyRecord | undefined>;
  /**
   * Adds a key. Throws `CONFLICT` when the id was ever used, and `QUOTA_EXCEEDED` when its tenant has as many as there is room for
   * that are not destroyed.
   */
  insert(key: KeyRecord, room?: Room): Promise<void>;
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
  /**
   * Adds to the number of operations that used the tenant's keys in this month, in UTC, and answers how many those are now. Only in a
   * tenant's scope.
   */
  addOperations(count: number): Promise<number>;
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
  /**
   * Writes down when versions were used, to the hour, where that is later than what is there: in each direction by itself. Passes over
   * versions that are not there. Only in the system scope.
   */
  recordUses(uses: readonly VersionUse[]): Promise<void>;
  /** When the versions of these keys of the scope were last used, in the order of their numbers; nothing of those of which that was never written down. */
  lastUses(keyIds: readonly KeyId[]): Promise<KnownUses>;
  /**
   * How many operations were taken so from the budgets of these keys, of the scope: for each key that has a counter, by its versions, and by 0 for the
   * budget of the whole key.
   */
  leasedOperations(keyIds: readonly KeyId[]): Promise<ReadonlyMap<KeyId, ReadonlyMap<number, number>>>;
}

/** When a version of a key was last used, to the hour: the beginning of it. */
export interface VersionUse {
  readonly keyId: KeyId;
  readonly version: number;
  /** To protect something new; `null` where that was not written down. */
  readonly protectedAt: Date | null;
  /** To process what it protected; `null` where that was not written down. */
  readonly processedAt: Date | null;
}

/** What is written down of the uses of keys. */
export interface KnownUses {
  /** From when on uses are written down: of what was before, nothing is known. */
  readonly since: Date;
  readonly versions: readonly VersionUse[];
}

/**
 * How many of a kind the tenant of a record may have. However many units add one at the same time, it never has more, and where one of
 * them is refused it has as many; `QUOTA_EXCEEDED` is made with `quotaExceeded`.
 */
export interface Room {
  /** Default: any number. */
  readonly atMost?: number | undefined;
}

/** How many identity bindings a tenant may have. */
export interface RoomForBinding extends Room {
  /** How many that were removed, which stay so that they do not come back. Default: any number. */
  readonly removedAtMost?: number | undefined;
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

/** Which page of keys is listed: those that meet all of it. */
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

/** A page of keys, newest first. */
export interface KeyPage {
  readonly items: readonly KeyRecord[];
  /** Whether there is more after the last item. */
  readonly more: boolean;
}

/** How many keys a tenant has, and how much they were used. */
export interface KeyCounts {
  readonly byState: Readonly<Record<string, number>>;
  readonly byAlgorithm: Readonly<Record<string, number>>;
  /** Operations that were added since the first of the month, in UTC. */
  readonly operationsThisMonth: number;
}

/** The tenants of a unit of work, and their master keys. */
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
  /**
   * Stores other optional fields of a tenant, with the MAC that covers them. System scope only. Throws `NOT_FOUND` when there is no such
   * tenant, and `CONFLICT` when another one has the same `account` among its fields.
   */
  setFields(tenant: Pick<TenantRecord, 'tenantId' | 'fields' | 'mac'>): Promise<void>;
  /** How many of each kind a tenant of the scope has, as an insertion counts them that says how many there may be; nothing of one that is not there. */
  usage(tenantId: TenantId): Promise<TenantUsage>;
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

/**
 * What is under the master key of a tenant, to be sealed again after a rotation: keys with the material of their versions, and the MACs of
 * keys, identity bindings and denials, those that were removed or destroyed included.
 */
export interface SealRecords {
  /** Up to `limit` tenants that have several versions of their master key, and are behind this one in the order of ids. System scope only. */
  unfinished(limit: number, after: TenantId | null): Promise<readonly TenantId[]>;
  /** How many keys, bindings and denials a tenant has, and how many of them name a version of its master key before this one. */
  count(tenantId: TenantId, tmkVersion: number): Promise<SealCounts>;
  /**
   * Up to `limit` keys of a tenant of which anything names a version of its master key before this one, locked; those that another unit
   * has locked are passed over, and so are those with these ids.
   */
  lockKeys(
    tenantId: TenantId,
    tmkVersion: number,
    limit: number,
    except: readonly KeyId[],
  ): Promise<readonly KeyRecord[]>;
  /**
   * Stores the MAC and the sealed material of a key that was locked so. Neither may go back to an earlier version of the master key, and
   * nothing else of it changes, not even the revision. Throws `INTERNAL_ERROR` for anything else.
   */
  resealKey(key: KeyRecord): Promise<void>;
  /** As {@link lockKeys}, for bindings and denials: up to `limit` of each. */
  lockIdentities(
    tenantId: TenantId,
    tmkVersion: number,
    limit: number,
    except: readonly string[],
  ): Promise<FoundIdentities>;
  /** As {@link resealKey}, for bindings and denials, of which it writes nothing but the MAC. */
  resealIdentities(identities: FoundIdentities): Promise<void>;
  /**
   * Destroys every wrap of the versions of a tenant's master key before this one, forever: from then on a write under one of them throws a
   * `NewerMasterKey`, no matter who makes it. System scope only. Throws `CONFLICT`, and destroys nothing, while anything names one of them, even
   * if it had to wait for others that wrote it, and where this version is not the newest one.
   */
  retire(tenantId: TenantId, tmkVersion: number): Promise<void>;
}

/** How much of a tenant is under its master key. */
export interface SealCounts {
  readonly total: number;
  /** What names an earlier version. */
  readonly left: number;
}

/** What a tenant has of what it may have only so many of. */
export interface TenantUsage {
  /** Keys that are not destroyed. */
  readonly keys: number;
  /** API tokens that were neither revoked nor replaced, and have not expired at the time of the unit. */
  readonly tokens: number;
  /** Identity bindings that were not removed. */
  readonly identityBindings: number;
  /** Operations that were added since the first of the month, in UTC. */
  readonly operationsThisMonth: number;
  /** Answers under idempotency keys that have not expired at the time of the unit. */
  readonly keptAnswers: number;
}

/** Which page of tenants is listed. */
export interface TenantQuery {
  /** From 1 to 200. */
  readonly limit: number;
  /** Where the page starts: after this tenant in the order of the list; default: at the beginning. */
  readonly after?: { readonly createdAt: Date; readonly tenantId: TenantId } | null;
}

/** A page of tenants, oldest first. */
export interface TenantPage {
  readonly items: readonly TenantRecord[];
  /** Whether there is more after the last item. */
  readonly more: boolean;
}

/** How many tenant master keys there are, and how many of them each root wraps. */
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

/** The API tokens of a unit of work. */
export interface TokenRecords {
  /**
   * Adds a token. Throws `CONFLICT` when its id or its hash was ever used, or its tenant was shredded, and `QUOTA_EXCEEDED` when its
   * tenant has as many as there is room for that were neither revoked nor replaced, and have not expired at the time of the unit. There is
   * room for any number of the platform's.
   */
  insert(token: ApiTokenRecord, room?: Room): Promise<void>;
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

/** Which page of API tokens is listed: those that meet all of it. */
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

/** A page of API tokens, newest first. */
export interface TokenPage {
  readonly items: readonly ApiTokenRecord[];
  /** Whether there is more after the last item. */
  readonly more: boolean;
}

/** What tenants let those do whom issuers of credentials vouch for, and whom they shut out. */
export interface IdentityRecords {
  /**
   * Adds a binding. Throws `CONFLICT` when its id was ever used, or its tenant was shredded, and `QUOTA_EXCEEDED` when its tenant has
   * as many as there is room for that were not removed, or has more that were than stay beside them.
   */
  insert(binding: IdentityBindingRecord, room?: RoomForBinding): Promise<void>;
  /** The binding as it is now, unless it was removed; with `lock`, nobody else changes it until the unit ends. */
  get(bindingId: string, options?: { readonly lock?: boolean }): Promise<IdentityBindingRecord | undefined>;
  /** A page of the bindings of the scope that were not removed, newest first. */
  list(query: IdentityBindingQuery): Promise<IdentityBindingPage>;
  /**
   * Stores when a binding was removed, and the MAC that covers it; nothing else of a binding ever changes. Throws `NOT_FOUND`
   * when the scope has no such binding that was not removed.
   */
  remove(binding: IdentityBindingRecord): Promise<void>;
  /**
   * Adds a denial. Throws `CONFLICT` when its id was ever used, or its tenant was shredded, and `QUOTA_EXCEEDED` when its tenant has as
   * many as there is room for.
   */
  insertDenial(denial: IdentityDenialRecord, room?: Room): Promise<void>;
  /** The denial as it is now, unless it was removed; with `lock`, nobody else changes it until the unit ends. */
  getDenial(denialId: string, options?: { readonly lock?: boolean }): Promise<IdentityDenialRecord | undefined>;
  /** A page of the denials of the scope that have not ended, newest first, also of those that were lifted. */
  listDenials(query: IdentityDenialQuery): Promise<IdentityDenialPage>;
  /**
   * Stores the fields of a denial that was lifted, and the MAC that covers them; nothing else of a denial ever changes. Throws
   * `NOT_FOUND` when the scope has no such denial.
   */
  liftDenial(denial: IdentityDenialRecord): Promise<void>;
  /** Removes the denials of the scope that have ended. */
  removeEndedDenials(): Promise<void>;
  /**
   * The bindings of the scope that were not removed and are found by one of these, up to `limit`, in no order, and all denials that
   * are.
   */
  find(names: IdentityNames, limit: number): Promise<FoundIdentities>;
  /**
   * The bindings of the scope that were removed after `removedAfter` and are found by one of the names, in no order and up to `limit`. Of each
   * tenant only those that it removed last, up to `ofTenant` by each name: however many one has removed, others are found as well.
   */
  findRemoved(query: RemovedBindingQuery): Promise<readonly IdentityBindingRecord[]>;
}

/** Which removed bindings are found. */
export interface RemovedBindingQuery {
  readonly names: IdentityNames['bindings'];
  readonly removedAfter: Date;
  readonly limit: number;
  readonly ofTenant: number;
}

/** What bindings and denials are found by. */
export interface IdentityNames {
  readonly bindings: readonly Uint8Array[];
  readonly denials: readonly Uint8Array[];
}

/** What the tenants say about an identity, found by what it proves. */
export interface FoundIdentities {
  readonly bindings: readonly IdentityBindingRecord[];
  readonly denials: readonly IdentityDenialRecord[];
}

/** Which page of identity bindings is listed. */
export interface IdentityBindingQuery {
  /** From 1 to 200. */
  readonly limit: number;
  /** Where the page starts: after this binding in the order of the list; default: at the beginning. */
  readonly after?: { readonly createdAt: Date; readonly bindingId: string } | null;
}

/** A page of identity bindings, newest first. */
export interface IdentityBindingPage {
  readonly items: readonly IdentityBindingRecord[];
  /** Whether there is more after the last item. */
  readonly more: boolean;
}

/** Which page of denials is listed. */
export interface IdentityDenialQuery {
  /** From 1 to 200. */
  readonly limit: number;
  /** Where the page starts: after this denial in the order of the list; default: at the beginning. */
  readonly after?: { readonly createdAt: Date; readonly denialId: string } | null;
}

/** A page of denials, newest first. */
export interface IdentityDenialPage {
  readonly items: readonly IdentityDenialRecord[];
  /** Whether there is more after the last item. */
  readonly more: boolean;
}

/** The requests for approvals of a unit of work. */
export interface ApprovalRecords {
  /**
   * Adds a request. Throws `CONFLICT` when its id was ever used, or its tenant was shredded, and `QUOTA_EXCEEDED` when its tenant has as
   * many pending ones as there is room for that have not expired.
   */
  insert(approval: ApprovalRecord, room?: Room): Promise<void>;
  /** The request as it is now; with `lock`, nobody else changes it until the unit ends. */
  get(approvalId: string, options?: { readonly lock?: boolean }): Promise<ApprovalRecord | undefined>;
  /** The newest pending request of a tenant with a fingerprint that has not expired, locked. */
  findPending(tenantId: TenantId, fingerprint: Uint8Array): Promise<ApprovalRecord | undefined>;
  /**
   * Stores the state and the content of a pending request, and the MAC that covers them; nothing else of it ever changes. Throws
   * `NOT_FOUND` when the scope has no pending request with the id.
   */
  update(approval: ApprovalRecord): Promise<void>;
  /** A page of the requests of the scope, newest first. */
  list(query: ApprovalQuery): Promise<ApprovalPage>;
  /** Removes the requests of the scope that expired before this time. */
  removeEnded(expiredBefore: Date): Promise<void>;
}

/** Which page of requests for approvals is listed. */
export interface ApprovalQuery {
  /** From 1 to 200. */
  readonly limit: number;
  /** Where the page starts: after this request in the order of the list; default: at the beginning. */
  readonly after?: { readonly createdAt: Date; readonly approvalId: string } | null;
  /** Only those in this state; of pending ones only those that have not expired. Default: all. */
  readonly state?: ApprovalState;
}

/** A page of requests for approvals, newest first. */
export interface ApprovalPage {
  readonly items: readonly ApprovalRecord[];
  /** Whether there is more after the last item. */
  readonly more: boolean;
}

/** The events of a unit of work. */
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

/** What repeated calls are answered with. */
export interface IdempotencyRecords {
  /**
   * Claims a key for this unit of work. Answers the finished record of an earlier call, or `undefined` when the key is
   * free and now ours. A concurrent claim of the same key waits until the first unit ends. Throws `CONFLICT` when the
   * tenant was shredded, and `TOO_MANY_REQUESTS`, made with `tooManyAnswers`, when the key is free and as many answers of the tenant as
   * there is room for have not expired at the time of the unit. In the system scope there is room for any number.
   */
  claim(key: string, fingerprint: Uint8Array, room?: Room): Promise<IdempotencyRecord | undefined>;
  /** Stores the answer of the claimed key, to expire exactly `ttlSeconds` after `now` of the unit. */
  complete(key: string, answer: Uint8Array, ttlSeconds: number): Promise<void>;
}
