import type { KmsError } from '../errors/kms-error.ts';
import type { RefusedFor } from '../model/audit-event.ts';
import type { Identity } from './identity.ts';

/** A refused credential leaves at most one event in this time, and those of one tenant at most this many. */
const PERIOD_MS = 60_000;
const MOST_OF_A_TENANT = 20;
/** How many credentials and how many tenants are remembered: more than leave events in a period. */
const MOST_REMEMBERED = 10_000;

/** What a known credential was refused with. */
export interface KnownRefusal {
  readonly code: KmsError['code'];
  readonly refusedFor?: RefusedFor | undefined;
}

/**
 * The evidence of credentials that are known and not let in: somebody has what was revoked or has expired, or calls more often than the
 * limit lets them. Who holds one may present it without end, so not each time leaves an event; a credential that nobody knows never does,
 * as anybody can make one up.
 */
export class RefusedTokens {
  readonly #credentials = new Map<string, Period>();
  readonly #tenants = new Map<string, Period>();
  /** By tenant, how many refusals no event tells of yet. */
  readonly #untold = new Map<string, number>();
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /**
   * Whether this refusal is to leave an event: how many before it left none, or `undefined` where it leaves none either. It is counted as
   * one that did, beside those for other reasons.
   */
  takes(
    { subject, tenantId }: Pick<Identity, 'subject' | 'tenantId'>,
    { code, refusedFor }: KnownRefusal,
  ): number | undefined {
    const tenant = tenantId ?? '';
    const ofTenant = this.#period(this.#tenants, `${code} ${tenant}`);
    const ofCredential = this.#period(this.#credentials, `${code} ${refusedFor ?? ''} ${tenant} ${subject}`);
    if (ofTenant.count >= MOST_OF_A_TENANT || ofCredential.count >= 1) {
      this.#leave(tenant, 1);
      return undefined;
    }
    ofTenant.count += 1;
    ofCredential.count += 1;
    const before = this.#untold.get(tenant) ?? 0;
    this.#untold.delete(tenant);
    return before;
  }

  /** The event that a refusal was to leave could not be written: the next one tells of it, and of those that it would have told of. */
  missed({ tenantId }: Pick<Identity, 'tenantId'>, refusedBefore: number): void {
    this.#leave(tenantId ?? '', refusedBefore + 1);
  }

  #leave(tenant: string, refusals: number): void {
    const untold = (this.#untold.get(tenant) ?? 0) + refusals;
    putLast(this.#untold, tenant, untold);
  }

  #period(periods: Map<string, Period>, name: string): Period {
    const now = this.#now();
    const held = periods.get(name);
    if (held !== undefined && now - held.since < PERIOD_MS) return held;
    const next = { since: now, count: 0 };
    putLast(periods, name, next);
    return next;
  }
}

/** How many events there were since a time. */
interface Period {
  readonly since: number;
  count: number;
}

function putLast<V>(entries: Map<string, V>, name: string, value: V): void {
  entries.delete(name);
  entries.set(name, value);
  const [oldest] = entries.keys();
  if (entries.size > MOST_REMEMBERED && oldest !== undefined) entries.delete(oldest);
}
