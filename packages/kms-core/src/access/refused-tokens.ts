import type { KmsError } from '../errors/kms-error.ts';
import type { Identity } from './identity.ts';

/** A refused token leaves at most one event in this time, and those of one tenant at most this many. */
const PERIOD_MS = 60_000;
const MOST_OF_A_TENANT = 20;
/** How many tokens and tenants are remembered: more than can come in a period from who has that many revoked tokens. */
const MOST_REMEMBERED = 10_000;

/**
 * The evidence of tokens that are known and not let in: somebody has what was revoked or has expired, or calls more often than the
 * limit lets them. Who holds one may present it without end, so not each time leaves an event; a token that nobody knows never does,
 * as anybody can make one up.
 */
export class RefusedTokens {
  readonly #events = new Map<string, { readonly since: number; count: number }>();
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Whether this refusal is to leave an event. It is counted as one that did, beside those for other reasons. */
  takes({ subject, tenantId }: Pick<Identity, 'subject' | 'tenantId'>, code: KmsError['code']): boolean {
    return (
      this.#count(`${code} token ${subject}`, 1) && this.#count(`${code} tenant ${tenantId ?? ''}`, MOST_OF_A_TENANT)
    );
  }

  #count(name: string, most: number): boolean {
    const now = this.#now();
    const held = this.#events.get(name);
    if (held !== undefined && now - held.since < PERIOD_MS) {
      held.count += 1;
      return held.count <= most;
    }
    this.#events.delete(name);
    this.#events.set(name, { since: now, count: 1 });
    const [oldest] = this.#events.keys();
    if (this.#events.size > MOST_REMEMBERED && oldest !== undefined) this.#events.delete(oldest);
    return true;
  }
}
