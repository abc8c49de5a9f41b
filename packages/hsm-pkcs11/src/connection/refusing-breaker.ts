export interface RefusingBreakerOptions {
  /** Consecutive failures after which calls are refused. */
  readonly threshold: number;
  /** How long they are refused before one is let through to try. */
  readonly openForMs: number;
  /** Milliseconds on a clock that never goes back. */
  readonly now: () => number;
}

/**
 * A circuit breaker for calls that nothing can replace: while a token keeps failing, its callers are refused and told how
 * long to wait. Only their own calls try it again, which may take long and may be asked to log in. That of the cache
 * differs on purpose: its calls can be left out, and it tries by itself.
 */
export class RefusingBreaker {
  readonly #options: RefusingBreakerOptions;
  #failures = 0;
  #openedAt: number | null = null;
  #probing = false;

  constructor(options: RefusingBreakerOptions) {
    this.#options = options;
  }

  get failures(): number {
    return this.#failures;
  }

  get state(): 'closed' | 'open' | 'half-open' {
    if (this.#openedAt === null) return 'closed';
    return this.waitMs() > 0 ? 'open' : 'half-open';
  }

  /** Whether a call may go through. A caller that is let through reports `succeeded`, `failed` or `abandoned`. */
  admit(): boolean {
    if (this.#openedAt === null) return true;
    if (this.waitMs() > 0 || this.#probing) return false;
    this.#probing = true;
    return true;
  }

  /** How long until the next probe. */
  waitMs(): number {
    if (this.#openedAt === null) return 0;
    return Math.max(0, this.#openedAt + this.#options.openForMs - this.#options.now());
  }

  succeeded(): void {
    this.#failures = 0;
    this.#openedAt = null;
    this.#probing = false;
  }

  failed(): void {
    this.#failures += 1;
    this.#probing = false;
    if (this.#failures >= this.#options.threshold) this.#openedAt = this.#options.now();
  }
}
