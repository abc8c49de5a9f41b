import { matches, namesOf } from '../access/found-by.ts';
import type { Identity } from '../access/identity.ts';
import type { IdentityBindingRecord, IdentityDenialRecord } from '../access/identity-binding.ts';
import type { ProvenClaims } from '../access/proven-claims.ts';
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
import { isUuid, type TenantId } from '../model/identifiers.ts';
import { BINDING_CERTIFICATE, DENIAL_LIFTED_AT, fieldOf } from '../model/record-fields.ts';
import type { ChangeFeed, FeedEvent } from '../ports/change-feed.ts';
import type { MemoryCache } from '../ports/memory-cache.ts';
import type { FoundIdentities, Store, StoreScope } from '../ports/store.ts';
import { beginningsOf, type BoundIdentities, bytesOf, choose, type Refuser, refusal } from './bound-identities.ts';
import { type CacheCounts, FreshCache } from './fresh-cache.ts';
import { ownLimits } from './own-limits.ts';

/** What an identity ring may hold identities in; without `memory` it reads the bindings for every use. */
export interface IdentityRingCaches {
  readonly feed: ChangeFeed;
  readonly memory?: MemoryCache<BoundIdentities> | undefined;
}

/** How many bindings are read for a call: of the tenant that it names, as many as one may have. */
const MOST_BINDINGS = BOUNDS.identity.bindings;

/** For how long a binding that was removed tells of refusals, in milliseconds: whom it let in once can write into the evidence of its tenant. */
const REMOVED_TELLS_MS = 90 * 24 * 60 * 60 * 1000;
/** How many of those of one tenant are read that ask for one claim: one that removes many hides no other. */
const MOST_REMOVED = 10;
/** How many tenants are looked at that removed bindings for somebody: each takes a read of its master keys. */
const MOST_REMOVERS = 4;

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
   * @param certificate what the certificate of the connection proves, beside which they were presented
   * @throws KmsError `UNAUTHORIZED` when no tenant has a binding for them, a `RefusedCredential` when it denies them, or its bindings have ended,
   *   were removed or demand another certificate;
   *   `TENANT_MISMATCH` when several tenants have one and the call names none of them.
   */
  find(proven: ProvenClaims, named?: string, certificate?: ProvenClaims): MaybePromise<Identity> {
    const tenantId = tenantNamed(named);
    const name = nameIn(proven, tenantId, certificate);
    const held = this.#bound.get(name);
    if (held !== undefined) {
      if (this.#clock() < held.until) return choose(held, proven);
      this.#bound.forget(name);
    }
    return this.#bound
      .load(name, '', () => this.#read(proven, tenantId, certificate))
      .then((found) => choose(found, proven));
  }

  /** Whether a tenant denies the bearer of proven claims, whatever it binds; without a promise when that is held. */
  denies(proven: ProvenClaims, tenantId: TenantId): MaybePromise<boolean> {
    const name = `denied ${nameIn(proven, tenantId)}`;
    const isDenied = ({ refusedBy }: BoundIdentities) => refusedBy.length > 0;
    const held = this.#bound.get(name);
    return held === undefined
      ? this.#bound.load(name, '', () => this.#readDenials(proven, tenantId)).then(isDenied)
      : isDenied(held);
  }

  /** Whether it is held that proven claims let their bearer be somebody, so that `find` asks nobody for it. */
  holds(proven: ProvenClaims, named?: string, certificate?: ProvenClaims): boolean {
    const held = this.#bound.peek(nameIn(proven, tenantNamed(named), certificate));
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

  async #read(
    proven: ProvenClaims,
    tenantId: TenantId | undefined,
    certificate: ProvenClaims | undefined,
  ): Promise<BoundIdentities> {
    const newest = new Set<TenantId>();
    for (;;) {
      const found = await this.#readOnce(proven, tenantId, certificate, newest);
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
    certificate: ProvenClaims | undefined,
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
      const own = [...records, ...found.denials.filter((denial) => denial.tenantId === owner)];
      const chain = await this.#masterKeysOf(owner, own, newest);
      if (chain === 'rotated') return chain;
      if (chain === undefined) continue;
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
      const fitting = bindings.filter((binding) => isMet(binding, certificate));
      if (fitting.length === 0) {
        refusedBy.push({ tenantId: owner, refusedFor: 'certificate' });
        continue;
      }
      const identity = unitedIdentity(proven, owner, fitting, certificate);
      const tenantLimits = await ownLimits(this.#store, this.#hierarchy, owner);
      identities.push(tenantLimits === undefined ? identity : { ...identity, tenantLimits });
      for (const { expiresAt } of fitting) until = Math.min(until, expiresAt?.getTime() ?? until);
      // Two are refused as any more are.
      if (identities.length > 1) break;
    }
    if (identities.length === 0 && refusedBy.length === 0) {
      const remover = await this.#removerOf(proven, names.bindings, scope, new Set(byTenant.keys()), newest);
      if (remover === 'rotated') return remover;
      if (remover !== undefined) refusedBy.push(remover);
    }
    // Who names a tenant names any: nobody fills the memory with what is not there.
    if (tenantId !== undefined && identities.length === 0) throw refusal(proven, refusedBy);
    const tooMany = tenantId === undefined && found.bindings.length > MOST_BINDINGS;
    return { identities, refusedBy, tooMany, until, names: beginningsOf([...names.bindings, ...names.denials]) };
  }

  async #readDenials(proven: ProvenClaims, tenantId: TenantId): Promise<BoundIdentities> {
    const names = namesOf(proven).denials;
    const newest = new Set<TenantId>();
    const nobody = { identities: [], tooMany: false, until: Number.POSITIVE_INFINITY, names: beginningsOf(names) };
    for (;;) {
      const found = await this.#store.transact({ kind: 'tenant', tenantId }, (unit) =>
        unit.identities.find({ bindings: [], denials: names }, 1),
      );
      const about = found.denials.filter((denial) => isAbout(denial, proven));
      if (about.length === 0) return { ...nobody, refusedBy: [] };
      const chain = await this.#masterKeysOf(tenantId, about, newest);
      if (chain === 'rotated') continue;
      // Without its master keys nobody knows whether a denial still holds.
      const isDenied =
        chain === undefined ||
        this.#isDenied(proven, { ...found, denials: about }, tenantId, new IdentityAuthority(chain));
      return { ...nobody, refusedBy: isDenied ? [{ tenantId, refusedFor: 'denied' }] : [] };
    }
  }

  /**
   * The tenant that let somebody in who is nobody now: of several the one that did so first, so that no other one hears of them by binding
   * them later. Asked only for those who are let in nowhere.
   *
   * @param except tenants that have bindings for them that were not removed
   */
  async #removerOf(
    proven: ProvenClaims,
    names: readonly Uint8Array[],
    scope: StoreScope,
    except: ReadonlySet<TenantId>,
    newest: Set<TenantId>,
  ): Promise<Refuser | 'rotated' | undefined> {
    const removedAfter = new Date(this.#clock() - REMOVED_TELLS_MS);
    const query = { names, removedAfter, limit: MOST_BINDINGS, ofTenant: MOST_REMOVED };
    const found = await this.#store.transact(scope, (unit) => unit.identities.findRemoved(query));
    const removed = found
      .filter(({ tenantId }) => !except.has(tenantId))
      .filter(({ issuer, match }) => issuer === proven.issuer && matches(match, proven.claims))
      .sort((a, b) => a.createdAt.getTime() - b.createdAt.getTime());
    const byTenant = [...Map.groupBy(removed, ({ tenantId }) => tenantId)];
    for (const [tenantId, records] of byTenant.slice(0, MOST_REMOVERS)) {
      const chain = await this.#masterKeysOf(tenantId, records, newest);
      if (chain === 'rotated') return chain;
      if (chain === undefined) continue;
      const authority = new IdentityAuthority(chain);
      if (records.some((record) => this.#isAuthentic(record, authority)))
        return { tenantId, refusedFor: 'binding-removed' };
    }
    return undefined;
  }

  /**
   * Its tenant's alone: what is wrong with another tenant, or with a binding that somebody wrote into the database, keeps nobody out.
   *
   * @param records what is to be verified with them
   */
  async #masterKeysOf(
    tenantId: TenantId,
    records: readonly Pick<IdentityBindingRecord, 'mac'>[],
    newest: Set<TenantId>,
  ): Promise<MasterKeyChain | 'rotated' | undefined> {
    try {
      const chain = await this.#hierarchy.masterKeys(tenantId);
      if (newest.has(tenantId) || records.every(({ mac }) => chain.has(mac.tmkVersion))) return chain;
      newest.add(tenantId);
      await this.#hierarchy.areOutdated(tenantId, chain);
      return 'rotated';
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

function nameIn(proven: ProvenClaims, tenantId: TenantId | undefined, certificate?: ProvenClaims): string {
  const name = tenantId === undefined ? proven.name : `${proven.name} ${tenantId}`;
  return certificate === undefined ? name : `${name} ${certificate.name}`;
}

/** Whether a certificate is there and as an authentic binding demands it, if it does. */
function isMet({ fields }: IdentityBindingRecord, certificate: ProvenClaims | undefined): boolean {
  const demanded = fieldOf(fields, BINDING_CERTIFICATE);
  return demanded === undefined || (certificate !== undefined && matches(demanded, certificate.claims));
}

function isAbout({ issuer, claim, value }: IdentityDenialRecord, proven: ProvenClaims): boolean {
  return issuer === proven.issuer && value === (claim === 'sub' ? proven.subject : proven.credentialId);
}
