import type { Identity } from '@qnsp/kms-core';
import { KmsError, type RateLimitDetails, type RateLimiter } from '@qnsp/kms-core/ports';
import { type Bucket, Buckets } from './buckets.ts';
import { SharedDemand } from './shared-demand.ts';

/** How many tenants, and how many credentials, are remembered: some megabytes. */
const MOST_BUCKETS = 100_000;

/** What may be taken, in units of cost. */
export interface UnitLimit {
  readonly perSecond: number;
  /** How much may be taken at once by one who has taken nothing for a while. */
  readonly burst: number;
}

export interface LocalLimits {
  /** What all calls for a tenant may take together; default: no limit. */
  readonly tenant?: UnitLimit | undefined;
  /** What each credential may take; default: as much as its tenant. A credential with a rate of its own is held to the lower one. */
  readonly credential?: UnitLimit | undefined;
  /** How many processes share the limits, each of which gives out its part; asked for each call. Default: this one alone. */
  readonly nodes?: (() => number) | undefined;
  /** Hears of each refusal, and which limit it was for. */
  readonly onRefused?: ((limit: LimitKind) => void) | undefined;
  /** Milliseconds of a clock that never goes back; default: that of the process. */
  readonly now?: (() => number) | undefined;
  /** How many tenants, and how many credentials, are remembered. */
  readonly mostBuckets?: number | undefined;
}

type LimitKind = 'tenant' | 'credential';

/**
 * Holds tenants and credentials to units of cost per second, in the memory of this process. A call that costs more than a whole burst is
 * let through when nothing is missing, and paid off by those after it: otherwise it never would be. Credentials of the platform belong to
 * no tenant, and are only held to the limits of credentials. Tokens that replaced one another share one.
 *
 * For example:
 * const limiter = new LocalRateLimiter({ tenant: { perSecond: 10_000, burst: 20_000 } });
 */
export class LocalRateLimiter implements RateLimiter {
  readonly limitsAll: boolean;
  readonly #tenant: UnitLimit | undefined;
  readonly #credential: UnitLimit | undefined;
  /** How the limits are divided among nodes. */
  readonly demand: SharedDemand;
  readonly #onRefused: (limit: LimitKind) => void;
  readonly #now: () => number;
  readonly #tenants: Buckets;
  readonly #credentials: Buckets;

  constructor(limits: LocalLimits) {
    this.limitsAll = limits.tenant !== undefined || limits.credential !== undefined;
    this.#tenant = limits.tenant;
    this.#credential = limits.credential;
    this.#onRefused = limits.onRefused ?? (() => undefined);
    this.#now = limits.now ?? (() => performance.now());
    this.demand = new SharedDemand(limits.nodes ?? (() => 1), this.#now);
    const most = limits.mostBuckets ?? MOST_BUCKETS;
    this.#tenants = new Buckets(most);
    this.#credentials = new Buckets(most);
  }

  take(identity: Identity, operation: string, cost: number, paid = 0): void {
    const { tenantId } = identity;
    const ofTenant = limitOfTenant(identity, this.#tenant);
    const ofCredential = limitOf(identity, this.#credential);
    if (ofTenant === undefined && ofCredential === undefined) return;
    const now = this.#now();
    const tenant = ofTenant && this.#share('tenant', ofTenant, tenantId ?? '', now);
    const credential = ofCredential && this.#share('credential', ofCredential, nameOf(identity), now);
    tenant?.ask(cost - paid);
    credential?.ask(cost - paid);
    tenant?.giveBack(paid);
    credential?.giveBack(paid);
    const tenantWaits = tenant?.wait(cost, now) ?? 0;
    const credentialWaits = credential?.wait(cost, now) ?? 0;
    const refusing = credentialWaits > tenantWaits ? credential : tenant;
    if (refusing !== undefined && Math.max(tenantWaits, credentialWaits) > 0) {
      this.#onRefused(refusing.kind);
      throw refusing.refusal(operation, cost, now);
    }
    tenant?.take(cost, now);
    credential?.take(cost, now);
  }

  #share(kind: LimitKind, limit: UnitLimit, name: string, now: number): Share {
    const buckets = kind === 'tenant' ? this.#tenants : this.#credentials;
    return new Share(kind, limit, { demand: this.demand, name: `${kind} ${name}` }, buckets.of(name, now));
  }
}

/** A bucket, and what of a limit this process gives out by it. */
class Share {
  readonly kind: LimitKind;
  readonly #limit: UnitLimit;
  readonly #of: { readonly demand: SharedDemand; readonly name: string };
  readonly #bucket: Bucket;
  /** In how much time what a unit is flows into the bucket of this process: all of them together fill at the rate of the limit. */
  readonly #unitMs: number;
  /** Of the burst each process has its part as well, and so it is the same time for one as for all. */
  readonly #burstMs: number;

  constructor(
    kind: LimitKind,
    limit: UnitLimit,
    of: { readonly demand: SharedDemand; readonly name: string },
    bucket: Bucket,
  ) {
    this.kind = kind;
    this.#limit = limit;
    this.#of = of;
    this.#bucket = bucket;
    this.#unitMs = 1000 / (limit.perSecond * of.demand.part(of.name));
    this.#burstMs = (1000 * limit.burst) / limit.perSecond;
  }

  ask(cost: number): void {
    this.#of.demand.ask(this.#of.name, cost);
  }

  wait(cost: number, now: number): number {
    return this.#bucket.wait(cost * this.#unitMs, this.#burstMs, now);
  }

  take(cost: number, now: number): void {
    this.#bucket.take(cost * this.#unitMs, now);
  }

  giveBack(cost: number): void {
    if (cost > 0) this.#bucket.giveBack(cost * this.#unitMs);
  }

  refusal(operation: string, cost: number, now: number): KmsError {
    const { perSecond, burst } = this.#limit;
    const missing = this.#bucket.missing(now);
    const retryAfter = Math.max(1, Math.ceil(this.wait(cost, now) / 1000));
    const details: RateLimitDetails = {
      limit: burst,
      // What is left of the burst of all, if the others have as much left of theirs; less than a millionth is an error of rounding.
      remaining: Math.max(0, Math.floor(burst - (missing * perSecond) / 1000 + 1e-6)),
      reset: Math.ceil(missing / 1000 - 1e-6),
      retryAfter,
    };
    return new KmsError(
      'TOO_MANY_REQUESTS',
      `${operation} costs more than this ${this.kind} may take now, of ${perSecond} units per second: try again in ${retryAfter} s.`,
      { details: { ...details }, retryAfterSeconds: retryAfter },
    );
  }
}

/** What a tenant is held to: what the platform set for it, or what holds for all. */
function limitOfTenant({ tenantId, tenantLimits }: Identity, forAll: UnitLimit | undefined): UnitLimit | undefined {
  if (tenantId === null) return undefined;
  const own = tenantLimits?.rate;
  if (own === undefined || own === null) return forAll;
  return own.unitsPerSecond === 0 ? undefined : { perSecond: own.unitsPerSecond, burst: own.burst };
}

/** What a credential is held to: its own rate, with what that is in a second as its burst, or what holds for all, if that is less. */
function limitOf({ rate }: Identity, forAll: UnitLimit | undefined): UnitLimit | undefined {
  if (rate === undefined || rate === null) return forAll;
  if (forAll !== undefined && forAll.perSecond <= rate) return forAll;
  return { perSecond: rate, burst: Math.min(rate, forAll?.burst ?? rate) };
}

/** Ids of tokens are unique; what an issuer calls somebody may be bound for several tenants. */
function nameOf({ subject, tenantId, tokenId }: Identity): string {
  return tokenId === undefined ? `${tenantId} ${subject}` : subject;
}
