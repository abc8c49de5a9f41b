import { type AddressLimiter, KmsError } from '@qnsp/kms-core/ports';
import { Buckets } from './buckets.ts';
import type { UnitLimit } from './local-rate-limiter.ts';
import { networkOf } from './network-of.ts';

/** How many addresses are remembered: some megabytes. */
const MOST_ADDRESSES = 100_000;

/** How often credentials that do not hold may come from an address. */
export interface FailureLimits {
  readonly limit: UnitLimit;
  /** How many processes share the limit; asked for each failure. Default: this one alone. */
  readonly nodes?: (() => number) | undefined;
  /** Hears of each refusal. */
  readonly onRefused?: (() => void) | undefined;
  /** Milliseconds of a clock that never goes back; default: that of the process. */
  readonly now?: (() => number) | undefined;
  readonly mostAddresses?: number | undefined;
}

/**
 * Holds addresses to how many credentials that do not hold they may present, in the memory of this process: IPv6 addresses by their
 * network of 64 bits, all of which one subscriber has.
 *
 * @example
 * const limiter = new FailedAuthentications({ limit: { perSecond: 20, burst: 100 } });
 */
export class FailedAuthentications implements AddressLimiter {
  readonly #limit: UnitLimit;
  readonly #nodes: () => number;
  readonly #onRefused: () => void;
  readonly #now: () => number;
  readonly #addresses: Buckets;
  /** Until when some address may be over its limit. */
  #alertUntil = -Infinity;
  /** So that nobody looks at the clock while all is well. */
  #isAlert = false;

  constructor({ limit, nodes, onRefused, now, mostAddresses }: FailureLimits) {
    this.#limit = limit;
    this.#nodes = nodes ?? (() => 1);
    this.#onRefused = onRefused ?? (() => undefined);
    this.#now = now ?? (() => performance.now());
    this.#addresses = new Buckets(mostAddresses ?? MOST_ADDRESSES);
  }

  get isAlert(): boolean {
    if (this.#isAlert && this.#now() >= this.#alertUntil) this.#isAlert = false;
    return this.#isAlert;
  }

  admit(address: string): void {
    const now = this.#now();
    const wait = this.#addresses.of(networkOf(address), now).wait(this.#unitMs, this.#sizeMs, now);
    if (wait === 0) return;
    this.#onRefused();
    const retryAfterSeconds = Math.ceil(wait / 1000);
    throw new KmsError(
      'TOO_MANY_REQUESTS',
      `Too many credentials that do not hold came from this address: try again in ${retryAfterSeconds} s.`,
      { details: { retryAfter: retryAfterSeconds }, retryAfterSeconds },
    );
  }

  failed(address: string): void {
    const now = this.#now();
    const bucket = this.#addresses.of(networkOf(address), now);
    // What came in at the same moment was not refused yet, and is not held against those who come later.
    bucket.take(Math.min(this.#unitMs, this.#sizeMs - bucket.missing(now)), now);
    const wait = bucket.wait(this.#unitMs, this.#sizeMs, now);
    if (wait === 0) return;
    this.#isAlert = true;
    this.#alertUntil = Math.max(this.#alertUntil, now + wait);
  }

  get #unitMs(): number {
    return (1000 * this.#nodes()) / this.#limit.perSecond;
  }

  get #sizeMs(): number {
    return (1000 * this.#limit.burst) / this.#limit.perSecond;
  }
}
