import { matches, namesOf } from '../access/found-by.ts';
import type { Identity } from '../access/identity.ts';
import type { IdentityBindingRecord, IdentityDenialRecord } from '../access/identity-binding.ts';
import { type ProvenClaims, subjectOf } from '../access/proven-claims.ts';
import { notAuthorized, RefusedCredential } from '../access/refused-credential.ts';
import { unitedIdentity } from '../access/united-bindings.ts';
import { BOUNDS } from '../bounds/bounds.ts';
import { asBuffer } from '../encoding/as-buffer.ts';
import type { MaybePromise } from '../base/maybe-promise.ts';
import { KmsError } from '../errors/kms-error.ts';
import { IdentityAuthority } from '../hierarchy/identity-authority.ts';
import type { KeyHierarchy } from '../hierarchy/key-hierarchy.ts';
import type { MasterKeyChain } from '../hierarchy/master-key-chain.ts';
import { NewerRecord } from '../hierarchy/record-formats.ts';
import type { AlertSink } from '../model/alert.ts';
import type { RefusedFor } from '../model/audit-event.ts';
import { isUuid, type TenantId } from '../model/identifiers.ts';
import { DENIAL_LIFTED_AT, fieldOf } from '../model/record-fields.ts';
import type { ChangeFeed, FeedEvent } from '../ports/change-feed.ts';
import type { MemoryCache } from '../ports/memory-cache.ts';
import type { FoundIdentities, Store, StoreScope } from '../ports/store.ts';
import { type CacheCounts, FreshCache } from './fresh-cache.ts';
import { ownLimits } from './own-limits.ts';

/** Whom the bindings of tenants let a credential be, when they were read. */
export interface BoundIdentities {
  /** One for each tenant that has bindings for it and does not deny it. */
  readonly identities: readonly Identity[];
  /** The tenants that know it and do not let it in, and why. */
  readonly refusedBy: readonly Refuser[];
  /** The call names no tenant, and there are more bindings than are read for it: those left out may be of any tenant. */
  readonly tooMany: boolean;
  /** When one of the bindings ends, in milliseconds since 1970: from then on it has to be read again. */
  readonly until: number;
  /** The beginnings of all that its bindings and denials are found by, or would be if there were more. */
  readonly names: Uint32Array;
}

interface Refuser {
  readonly tenantId: TenantId;
  readonly refusedFor: RefusedFor;
}

/** What an identity ring may hold identities in; without `memory` it reads the bindings for every use. */
export interface IdentityRingCaches {
  readonly feed: ChangeFeed;
  readonly memory?: MemoryCache<BoundIdentities> | undefined;
}

/** How many bindings are read for a call: of the tenant that it names, as many as one may have. */
const MOST_BINDINGS = BOUNDS.identity.bindings;

const { bindingsTogether, keysTogether } = BOUNDS.identity;

type Bindings = readonly IdentityBindingRecord[] | 'too-many';

/**
 * Finds whom bindings let the bearer of proven claims be, and holds that for as long as the change feed proves that no binding and no
 * denial changed that could be about them.
 */
export class IdentityRing {
  readonly #store: Store;
  readonly #hierarchy: KeyHierarchy;
  readonly #clock: () => number;
  readonly #alert: AlertSink | undefined;
  readonly #bound: FreshCache<BoundIdentities>;

  /** @param clock milliseconds since the epoch, for the ends of bindings */
  constructor(
    store: Store,
    hierarchy: KeyHierarchy,
    { feed, memory }: IdentityRingCaches,
    clock: () => number,
    alert?: AlertSink,
  ) {
    this.#store = store;
    this.#hierarchy = hierarchy;
    this.#clock = clock;
    this.#alert = alert;
    this.#bound = new FreshCache(feed, memory, bytesOf);
    feed.subscribe((event) => this.#onEvent(event));
  }

  /**
   * Whom proven claims let their bearer be, without a promise when that is held. Does not look at their expiry.
   *
   * @param named the tenant that the call is for, as it was sent; without one, there must be no more than one to choose
   * @throws KmsError `UNAUTHORIZED` when no tenant has a binding for them, a `RefusedCredential` when it denies them or its bindings have ended;
   *   `TENANT_MISMATCH` when several tenants have one and the call names none of them.
   */
  find(proven: ProvenClaims, named?: string): MaybePromise<Identity> {
    const tenantId = tenantNamed(named);
    const name = nameIn(proven, tenantId);
    const held = this.#bound.get(name);
    if (held !== undefined) {
      if (this.#clock() < held.until) return choose(held, proven);
      this.#bound.forget(name);
    }
    return this.#bound.load(name, '', () => this.#read(proven, tenantId)).then((found) => choose(found, proven));
  }

  /** Whether it is held that proven claims let their bearer be somebody, so that `find` asks nobody for it. */
  holds(proven: ProvenClaims, named?: string): boolean {
    const held = this.#bound.peek(nameIn(proven, tenantNamed(named)));
    return held !== undefined && held.identities.length > 0 && this.#clock() < held.until;
  }

  /** Drops what is held of those whom a binding or a denial may be about: what it says takes effect here from now on. */
  forget(foundBy: Uint8Array): void {
    const name = asBuffer(foundBy).readUInt32BE();
    this.#bound.forgetWhere(({ names }) => names.includes(name));
  }

  /** Drops what is held of those who have bindings of a tenant. */
  forgetTenant(tenantId: TenantId): void {
    this.#bound.forgetWhere(({ identities }) => identities.some((identity) => identity.tenantId === tenantId));
  }

  get counts(): CacheCounts {
    return this.#bound.counts;
  }

  /** How many credentials are held. */
  get held(): number {
    return this.#bound.memory?.size ?? 0;
  }

  #onEvent(event: FeedEvent): void {
    if (event.kind === 'identity') this.forget(Buffer.from(event.foundBy, 'hex'));
    else if (event.kind === 'tenant') this.forgetTenant(event.tenantId);
    else if (event.kind === 'gap') this.#bound.forgetAll();
  }

  async #read(proven: ProvenClaims, tenantId: TenantId | undefined): Promise<BoundIdentities> {
    const newest = new Set<TenantId>();
    for (;;) {
      const found = await this.#readOnce(proven, tenantId, newest);
      if (found !== 'rotated') return found;
    }
  }

  /**
   * @param newest the tenants of which the master keys are known to be the newest; each answer of `rotated` adds one
   * @returns `rotated` where a record names a newer master key of a tenant than is known here
   */
  async #readOnce(
    proven: ProvenClaims,
    tenantId: TenantId | undefined,
    newest: Set<TenantId>,
  ): Promise<BoundIdentities | 'rotated'> {
    const names = namesOf(proven);
    const scope: StoreScope = tenantId === undefined ? { kind: 'system' } : { kind: 'tenant', tenantId };
    const found = await this.#store.transact(scope, (unit) => unit.identities.find(names, MOST_BINDINGS + 1));
    const now = this.#clock();
    const byTenant = Map.groupBy(
      found.bindings.filter(({ issuer, match }) => {
        return issuer === proven.issuer && matches(match, proven.claims);
      }),
      (binding) => binding.tenantId,
    );
    const identities: Identity[] = [];
    const refusedBy: Refuser[] = [];
    let until = Number.POSITIVE_INFINITY;
    for (const [owner, records] of byTenant) {
      const chain = await this.#masterKeysOf(owner);
      if (chain === undefined) continue;
      const own = [...records, ...found.denials.filter((denial) => denial.tenantId === owner)];
      if (!newest.has(owner) && own.some(({ mac }) => !chain.has(mac.tmkVersion))) {
        newest.add(owner);
        await this.#hierarchy.areOutdated(owner, chain);
        return 'rotated';
      }
      const authority = new IdentityAuthority(chain);
      const live = records.filter(({ expiresAt }) => (expiresAt?.getTime() ?? Infinity) > now);
      if (live.length === 0) {
        if (records.some((record) => this.#isAuthentic(record, authority)))
          refusedBy.push({ tenantId: owner, refusedFor: 'binding-expired' });
        continue;
      }
      const bindings = this.#authentic(live, authority);
      if (bindings === 'too-many')
        // Once some of them have ended it may be few enough.
        for (const { expiresAt } of live) until = Math.min(until, expiresAt?.getTime() ?? until);
      if (bindings === 'too-many' || bindings.length === 0) continue;
      if (this.#isDenied(proven, found, owner, authority)) {
        refusedBy.push({ tenantId: owner, refusedFor: 'denied' });
        continue;
      }
      const identity = unitedIdentity(proven, owner, bindings);
      const tenantLimits = await ownLimits(this.#store, this.#hierarchy, owner);
      identities.push(tenantLimits === undefined ? identity : { ...identity, tenantLimits });
      for (const { expiresAt } of bindings) until = Math.min(until, expiresAt?.getTime() ?? until);
      // Two are refused as any more are.
      if (identities.length > 1) break;
    }
    // Who names a tenant names any: nobody fills the memory with what is not there.
    if (tenantId !== undefined && identities.length === 0) throw refusal(proven, refusedBy);
    const tooMany = tenantId === undefined && found.bindings.length > MOST_BINDINGS;
    return { identities, refusedBy, tooMany, until, names: beginningsOf([...names.bindings, ...names.denials]) };
  }

  /** Its tenant's alone: what is wrong with another tenant, or with a binding that somebody wrote into the database, keeps nobody out. */
  async #masterKeysOf(tenantId: TenantId): Promise<MasterKeyChain | undefined> {
    try {
      return await this.#hierarchy.masterKeys(tenantId);
    } catch (error) {
      if (!KmsError.is(error)) throw error;
      // The tenant was shredded.
      if (error.code === 'NOT_FOUND') return undefined;
      if (error.code !== 'INTERNAL_ERROR') throw error;
      this.#report(error);
      return undefined;
    }
  }

  /**
   * Those that the tenant's authority made. Looks no further once they are more than one credential may have: what one
   * credential costs must not grow with all that a tenant may store.
   */
  #authentic(records: readonly IdentityBindingRecord[], authority: IdentityAuthority): Bindings {
    const bindings: IdentityBindingRecord[] = [];
    let keys = 0;
    for (const record of records) {
      if (!this.#isAuthentic(record, authority)) continue;
      bindings.push(record);
      keys += record.keys?.length ?? 0;
      if (bindings.length > bindingsTogether || keys > keysTogether) return 'too-many';
    }
    return bindings;
  }

  #isAuthentic(record: IdentityBindingRecord, authority: IdentityAuthority): boolean {
    try {
      authority.verifyBinding(record);
      return true;
    } catch (error) {
      if (!KmsError.is(error)) throw error;
      this.#report(error);
      return false;
    }
  }

  #isDenied(
    proven: ProvenClaims,
    { denials }: FoundIdentities,
    tenantId: TenantId,
    authority: IdentityAuthority,
  ): boolean {
    return denials.some((denial) => {
      if (denial.tenantId !== tenantId || !isAbout(denial, proven)) return false;
      try {
        authority.verifyDenial(denial);
        if (fieldOf(denial.fields, DENIAL_LIFTED_AT) !== undefined) return false;
        // An id names one credential, whose issuer's clock may be ahead.
        return denial.claim === 'jti' || proven.issuedAt < denial.before.getTime();
      } catch (error) {
        if (!KmsError.is(error)) throw error;
        this.#report(error);
        // Nobody knows any more until when it held.
        return true;
      }
    });
  }

  #report(cause: KmsError): void {
    if (cause instanceof NewerRecord) return;
    this.#alert?.({ kind: 'record-forged', message: cause.message, cause });
  }
}

function tenantNamed(named: string | undefined): TenantId | undefined {
  return named !== undefined && isUuid(named) ? named.toLowerCase() : undefined;
}

function nameIn(proven: ProvenClaims, tenantId: TenantId | undefined): string {
  return tenantId === undefined ? proven.name : `${proven.name} ${tenantId}`;
}

function isAbout({ issuer, claim, value }: IdentityDenialRecord, proven: ProvenClaims): boolean {
  return issuer === proven.issuer && value === (claim === 'sub' ? proven.subject : proven.credentialId);
}

function choose({ identities, refusedBy, tooMany }: BoundIdentities, proven: ProvenClaims): Identity {
  const [identity] = identities;
  if (tooMany || identities.length > 1)
    throw new KmsError(
      'TENANT_MISMATCH',
      'Several tenants let this credential in. Name the one that the call is for, in the header x-qnsp-tenant.',
    );
  if (identity === undefined) throw refusal(proven, refusedBy);
  return identity;
}

function refusal(proven: ProvenClaims, [refuser]: readonly Refuser[]): KmsError {
  if (refuser === undefined) return notAuthorized();
  const { tenantId, refusedFor } = refuser;
  return new RefusedCredential({ subject: subjectOf(proven), tenantId, credential: proven.credential }, refusedFor);
}

function beginningsOf(names: readonly Buffer[]): Uint32Array {
  return Uint32Array.from(names, (name) => name.readUInt32BE());
}

const IDENTITY_BYTES = 1500;
const BYTES_OF_LISTED = 128;
const BYTES_OF_PERMISSION = 64;

function bytesOf({ identities, names }: BoundIdentities): number {
  return identities.reduce((sum, identity) => sum + bytesOfIdentity(identity), IDENTITY_BYTES + names.byteLength);
}

function bytesOfIdentity({ permissions, keys, onKeys }: Identity): number {
  const sets = [permissions, ...new Set(onKeys?.values())];
  const listed = (keys?.size ?? 0) + (onKeys?.size ?? 0);
  return (
    IDENTITY_BYTES + BYTES_OF_LISTED * listed + BYTES_OF_PERMISSION * sets.reduce((sum, { size }) => sum + size, 0)
  );
}
