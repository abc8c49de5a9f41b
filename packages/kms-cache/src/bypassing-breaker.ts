import { setTimeout as sleep } from 'node:timers/promises';

export interface BreakerOptions {
  /** How long one call may take. */
  readonly limitMs: number;
  /** This many failures without a success in between open it. */
  readonly failures: number;
  /** How long it stays open before one call may try again. */
  readonly openMs: number;
  /** A call that finds out whether to close again, even when nobody else calls. */
  readonly probe: () => Promise<unknown>;
}

/**
 * A circuit breaker for calls that can be left out: limits the time of each, and runs none for a while after several have
 * failed; it tries by itself whether they get through again. That of HSMs differs on purpose: nothing replaces a token, so
 * its callers are refused.
 */
export class BypassingBreaker {
  readonly #options: BreakerOptions;
  readonly #onChange: (open: boolean, cause: unknown) => void;
  #inARow = 0;
  #failed = 0;
  #openUntil: number | undefined;
  readonly #closing = new AbortController();

  /** @param onChange called when it opens, with the failure that opened it, and when it closes again */
  constructor(options: BreakerOptions, onChange: (open: boolean, cause: unknown) => void) {
    this.#options = options;
    this.#onChange = onChange;
  }

  get isOpen(): boolean {
    return this.#openUntil !== undefined;
  }

  /** How many calls failed or took too long, since the process began. */
  get failed(): number {
    return this.#failed;
  }

  /** The answer of the call, or `undefined` when it is not run, fails or takes too long. Never throws. */
  async run<T>(call: () => Promise<T>): Promise<T | undefined> {
    if (this.#openUntil !== undefined) {
      if (performance.now() < this.#openUntil) return undefined;
      // One call finds out; the others do without.
      this.#openUntil = performance.now() + this.#options.openMs;
    }
    try {
      const answer = await this.#inTime(call);
      this.#succeeded();
      return answer;
    } catch (error) {
      this.#note(error);
      return undefined;
    }
  }

  /** Ends the probing. */
  close(): void {
    this.#closing.abort();
  }

  /** Fails no later than `limitMs`, unless an answer is already there. */
  async #inTime<T>(call: () => Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      const expire = () => reject(new Error(`no answer within ${this.#options.limitMs} ms`));
      // Timers come before the sockets are read: an answer may have been there all the time that something else took.
      timer = setTimeout(() => setImmediate(expire), this.#options.limitMs);
    });
    try {
      return await Promise.race([call(), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #succeeded(): void {
    this.#inARow = 0;
    if (this.#openUntil === undefined) return;
    this.#openUntil = undefined;
    this.#onChange(false, undefined);
  }

  #note(cause: unknown): void {
    this.#failed += 1;
    this.#inARow += 1;
    if (this.#openUntil !== undefined || this.#inARow < this.#options.failures) return;
    this.#openUntil = performance.now() + this.#options.openMs;
    this.#onChange(true, cause);
    void this.#probe();
  }

  /** Tries as often as a call might, until one gets through. Others may be faster. */
  async #probe(): Promise<void> {
    const { signal } = this.#closing;
    while (this.#openUntil !== undefined && !signal.aborted) {
      const pauseMs = Math.max(1, this.#openUntil - performance.now());
      await sleep(pauseMs, undefined, { signal, ref: false }).catch(() => undefined);
      if (this.#openUntil !== undefined && !signal.aborted) await this.run(this.#options.probe);
    }
  }
}
