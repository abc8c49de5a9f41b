import { KmsError, SYSTEM_TENANT } from '@qnsp/kms-core';
import { HsmConfigurationError } from '../configuration/configuration-error.ts';
import type { HsmSettings } from '../configuration/hsm-config.ts';
import type { Answers, Request } from '../protocol/messages.ts';
import { ChildGone } from './child-connection.ts';
import { RefusingBreaker } from './refusing-breaker.ts';
import type { Connected, Outcome } from './connected.ts';
import { within } from './deadline.ts';
import {
  asError,
  callError,
  configurationError,
  endsProcess,
  goneFor,
  hsmUnavailable,
  isAbsent,
  isLoggedOut,
} from './hsm-errors.ts';
import { LanePool, LanesBusy, type LaneWish } from './lane-pool.ts';
import type { LinkParts, LinkStatus } from './link-status.ts';
import { foundNothing } from './token-presence.ts';
import { type DirectCall, TokenProcess } from './token-process.ts';

const BREAKER = { threshold: 5, openForMs: 5000 };
/**
 * Generating an RSA key is a search, and so is going through all objects: they take many times as long as using a key.
 */
const LONG_LIMITS = 12;
const LONG: readonly Request['op'][] = ['generate', 'objects'];

/** The link of one owner, whose calls take turns with those of others. */
export type OwnLink = Pick<HsmLink, 'call' | 'status'>;

/**
 * The link to one token: keeps a process with its module alive, hands out its sessions, ends what hangs, and refuses
 * early while the token keeps failing. Every call ends by its deadline.
 */
export class HsmLink {
  readonly #settings: HsmSettings;
  readonly #lanes: LanePool;
  readonly #breaker: RefusingBreaker;
  readonly #process: TokenProcess;
  #lastError: string | null = null;

  constructor(settings: HsmSettings, parts: LinkParts) {
    this.#settings = settings;
    this.#process = new TokenProcess(settings, parts, settings.timeoutMs * LONG_LIMITS);
    this.#lanes = new LanePool(settings.poolSize, settings.queueLimit);
    this.#breaker = new RefusingBreaker({ ...BREAKER, now: parts.now });
  }

  /** What every later connection must pass before it is used. */
  checkEachConnection(check: (call: DirectCall) => Promise<void>): void {
    this.#process.checkEachConnection(check);
  }

  /**
   * Connects unless already connected.
   *
   * @throws HsmConfigurationError for what no retry fixes; KmsError `HSM_UNAVAILABLE` otherwise.
   */
  async connect(): Promise<void> {
    try {
      await this.#process.connected();
    } catch (error) {
      this.#lastError = asError(error).message;
      throw configurationError(this.#settings.modulePath, error) ?? this.#unreachable(error);
    }
  }

  /** The mechanisms (CKM_*) of the token, as it named them when it was connected last: nobody waits for it to ask again. */
  async mechanisms(): Promise<readonly number[]> {
    if (this.#breaker.state === 'open') throw this.#refusal();
    const { seen } = this.#process;
    if (seen !== null) return seen.mechanisms;
    if (!this.#breaker.admit()) throw this.#refusal();
    try {
      const { mechanisms } = await within(this.#settings.timeoutMs, this.#process.connected());
      this.#breaker.succeeded();
      return mechanisms;
    } catch (error) {
      this.#failed(error);
      throw this.#unreachable(error);
    }
  }

  /** The same link for what is done on behalf of an owner; without one it is the service's own. */
  of(owner: string): OwnLink {
    return { call: (request) => this.call(request, owner), status: () => this.status() };
  }

  /** @throws KmsError, as `callError` maps it; `HSM_UNAVAILABLE` at the latest when the deadline has passed. */
  async call<R extends Request>(request: R, owner: string = SYSTEM_TENANT): Promise<Answers[R['op']]> {
    if (this.#breaker.state === 'open') throw this.#refusal();
    const lane = await this.#acquire({ owner, units: LONG.includes(request.op) ? LONG_LIMITS : 1 });
    try {
      if (!this.#breaker.admit()) throw this.#refusal();
      const value = await this.#run(lane, request);
      this.#breaker.succeeded();
      return value;
    } finally {
      this.#lanes.release(lane);
    }
  }

  status(): LinkStatus {
    const { current, seen, starts } = this.#process;
    return {
      connected: current !== null,
      breaker: this.#breaker.state,
      consecutiveFailures: this.#breaker.failures,
      busySessions: this.#lanes.busy,
      queuedCalls: this.#lanes.queued,
      starts,
      pid: current?.connection.pid ?? null,
      token: seen?.token ?? null,
      slotId: seen?.slotId ?? null,
      lastError: this.#lastError,
    };
  }

  close(): Promise<void> {
    return this.#process.close();
  }

  async #acquire(wish: LaneWish): Promise<number> {
    try {
      return await this.#lanes.acquire(wish, this.#settings.timeoutMs);
    } catch (error) {
      // Busy is not broken: the breaker counts only what the token does.
      if (error instanceof LanesBusy) throw hsmUnavailable(this.#settings.id, error.message, 1000, error);
      throw error;
    }
  }

  #refusal(): KmsError {
    const reason = `it failed ${this.#breaker.failures} times in a row (${this.#lastError ?? 'unknown'})`;
    return hsmUnavailable(this.#settings.id, reason, this.#breaker.waitMs());
  }

  async #run<R extends Request>(lane: number, request: R): Promise<Answers[R['op']]> {
    for (let attempt = 0; ; attempt += 1) {
      let connected: Connected | null = null;
      try {
        connected = await within(this.#settings.timeoutMs, this.#process.connected());
        const outcome = await this.#ask(connected, lane, request);
        const view = attempt > 0 || !outcome.nothingFound ? 'true' : await this.#viewOf(connected, lane, request);
        if (view === 'true') {
          if (outcome.error !== null) throw outcome.error;
          // The child answers each request with the answer of its kind.
          return outcome.answer as Answers[R['op']];
        }
        if (view === 'behind') await this.#renew(connected);
        else this.#process.replace(connected.connection, goneFor(new ChildGone('The token no longer shows its keys.')));
      } catch (error) {
        if (connected !== null && (endsProcess(error) || connected.connection.gone !== null))
          this.#process.replace(connected.connection, goneFor(asError(error)));
        throw this.#counted(error);
      }
    }
  }

  async #ask(connected: Connected, lane: number, request: Request): Promise<Outcome> {
    const { timeoutMs } = this.#settings;
    const limitMs = LONG.includes(request.op) ? timeoutMs * LONG_LIMITS : timeoutMs;
    try {
      const answer = await within(limitMs, this.#send(connected, lane, request));
      connected.presence.answered(request);
      return { answer, error: null, nothingFound: foundNothing(request, answer) };
    } catch (error) {
      if (!isAbsent(error)) throw error;
      return { answer: null, error: asError(error), nothingFound: true };
    }
  }

  /** What to think of it when something was not found. */
  async #viewOf(
    { connection, presence }: Connected,
    lane: number,
    request: Request,
  ): Promise<'true' | 'behind' | 'of no token'> {
    const vanished = await presence.mayHaveVanished(request, async (ref) => {
      const find: Request = { op: 'find', ref };
      const found = await within(this.#settings.timeoutMs, connection.call(lane, find));
      return !foundNothing(find, found);
    });
    if (vanished) return 'of no token';
    return presence.mayBeBehind(request) ? 'behind' : 'true';
  }

  async #renew(old: Connected): Promise<void> {
    try {
      await this.#process.renew(old);
    } catch (error) {
      // Whether the key is there is not known.
      throw this.#unreachable(error);
    }
  }

  async #send(connected: Connected, lane: number, request: Request): Promise<Answers[keyof Answers]> {
    const { connection } = connected;
    try {
      return await connection.call(lane, request);
    } catch (error) {
      if (!isLoggedOut(error)) throw error;
    }
    await this.#process.loginAgain(connected);
    return await connection.call(lane, request);
  }

  /** Maps an error of a call and tells the breaker: a token that answers, even with a refusal, works. */
  #counted(error: unknown): KmsError {
    const mapped =
      error instanceof HsmConfigurationError ? this.#unreachable(error) : callError(this.#settings.id, asError(error));
    if (mapped.code === 'HSM_UNAVAILABLE') this.#failed(error);
    else this.#breaker.succeeded();
    return mapped;
  }

  #failed(error: unknown): void {
    this.#lastError = asError(error).message;
    this.#breaker.failed();
  }

  #unreachable(error: unknown): KmsError {
    if (KmsError.is(error)) return error;
    const waitMs = Math.max(this.#process.waitMs, 1000);
    return hsmUnavailable(this.#settings.id, `it cannot be reached (${asError(error).message})`, waitMs, error);
  }
}
