import { KmsError } from '@qnsp/kms-core';
import { HsmConfigurationError } from '../configuration/configuration-error.ts';
import type { HsmSettings } from '../configuration/hsm-config.ts';
import type { Answers, Request, TokenIdentity } from '../protocol/messages.ts';
import { ChildConnection, ChildGone, type TokenOpened } from './child-connection.ts';
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
  isPinRefusal,
  pinRefused,
} from './hsm-errors.ts';
import { LanePool, LanesBusy } from './lane-pool.ts';
import type { LinkParts, LinkStatus } from './link-status.ts';
import { RetiringConnections } from './retiring-connections.ts';
import { foundNothing, TokenPresence } from './token-presence.ts';

const BREAKER = { threshold: 5, openForMs: 5000 };
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 30_000;
/** Starting a process and logging in takes longer than a call. */
const LEAST_CONNECT_LIMIT_MS = 20_000;
/**
 * Generating an RSA key is a search, and so is going through all objects: they take many times as long as using a key.
 */
const LONG_LIMITS = 12;
const LONG: readonly Request['op'][] = ['generate', 'objects'];

/** Sends one request to the token, whatever the state of the breaker: for checks of a new connection. */
export type DirectCall = <R extends Request>(request: R) => Promise<Answers[R['op']]>;

/**
 * The link to one token: keeps a process with its module alive, hands out its sessions, ends what hangs, and refuses
 * early while the token keeps failing. Every call ends by its deadline.
 */
export class HsmLink {
  readonly #settings: HsmSettings;
  readonly #parts: LinkParts;
  readonly #lanes: LanePool;
  readonly #breaker: RefusingBreaker;
  #connected: Promise<Connected> | null = null;
  #current: Connected | null = null;
  #opening: ChildConnection | null = null;
  #loggingIn: Promise<void> | null = null;
  #renewing: Promise<void> | null = null;
  readonly #retiring = new RetiringConnections();
  #expected: TokenOpened | null = null;
  #mechanisms: readonly number[] | null = null;
  #refused: HsmConfigurationError | null = null;
  #retryAt = 0;
  #pauseMs = FIRST_PAUSE_MS;
  #starts = 0;
  #lastError: string | null = null;
  #closed = false;
  #check: (call: DirectCall) => Promise<void> = () => Promise.resolve();

  constructor(settings: HsmSettings, parts: LinkParts) {
    this.#settings = settings;
    this.#parts = parts;
    this.#lanes = new LanePool(settings.poolSize, settings.queueLimit);
    this.#breaker = new RefusingBreaker({ ...BREAKER, now: parts.now });
  }

  /** What every later connection must pass before it is used. */
  checkEachConnection(check: (call: DirectCall) => Promise<void>): void {
    this.#check = check;
  }

  /**
   * Connects unless already connected.
   *
   * @throws HsmConfigurationError for what no retry fixes; KmsError `HSM_UNAVAILABLE` otherwise.
   */
  async connect(): Promise<void> {
    try {
      await this.#connection();
    } catch (error) {
      throw configurationError(this.#settings.modulePath, error) ?? this.#unreachable(error);
    }
  }

  /** The mechanisms (CKM_*) of the token, as it named them when it was connected last: nobody waits for it to ask again. */
  async mechanisms(): Promise<readonly number[]> {
    if (this.#breaker.state === 'open') throw this.#refusal();
    if (this.#mechanisms !== null) return this.#mechanisms;
    if (!this.#breaker.admit()) throw this.#refusal();
    try {
      const { mechanisms } = await within(this.#settings.timeoutMs, this.#connection());
      this.#breaker.succeeded();
      return mechanisms;
    } catch (error) {
      this.#failed(error);
      throw this.#unreachable(error);
    }
  }

  /** @throws KmsError, as `callError` maps it; `HSM_UNAVAILABLE` at the latest when the deadline has passed. */
  async call<R extends Request>(request: R): Promise<Answers[R['op']]> {
    if (this.#breaker.state === 'open') throw this.#refusal();
    const lane = await this.#acquire();
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
    return {
      connected: this.#current !== null,
      breaker: this.#breaker.state,
      consecutiveFailures: this.#breaker.failures,
      busySessions: this.#lanes.busy,
      queuedCalls: this.#lanes.queued,
      starts: this.#starts,
      pid: this.#current?.connection.pid ?? null,
      token: this.#expected?.token ?? null,
      slotId: this.#expected?.slotId ?? null,
      lastError: this.#lastError,
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#opening?.kill(new ChildGone('The HSM was closed.'));
    this.#retiring.kill(new ChildGone('The HSM was closed.'));
    await this.#current?.connection.close();
  }

  async #acquire(): Promise<number> {
    try {
      return await this.#lanes.acquire(this.#settings.timeoutMs);
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
        connected = await within(this.#settings.timeoutMs, this.#connection());
        const outcome = await this.#ask(connected, lane, request);
        const view = attempt > 0 || !outcome.nothingFound ? 'true' : await this.#viewOf(connected, lane, request);
        if (view === 'true') {
          if (outcome.error !== null) throw outcome.error;
          // The child answers each request with the answer of its kind.
          return outcome.answer as Answers[R['op']];
        }
        if (view === 'behind') await this.#renew(connected);
        else this.#replace(connected.connection, new ChildGone('The token no longer shows its keys.'));
      } catch (error) {
        if (connected !== null && (endsProcess(error) || connected.connection.gone !== null))
          this.#replace(connected.connection, error);
        throw this.#counted(error);
      }
    }
  }

  async #ask({ connection, presence }: Connected, lane: number, request: Request): Promise<Outcome> {
    const { timeoutMs } = this.#settings;
    const limitMs = LONG.includes(request.op) ? timeoutMs * LONG_LIMITS : timeoutMs;
    try {
      const answer = await within(limitMs, this.#send(connection, lane, request));
      presence.answered(request);
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

  /**
   * Gives new calls a process that sees the token as it is now. Those in progress finish with the one that they have,
   * which is sound except for its view.
   */
  async #renew(old: Connected): Promise<void> {
    if (this.#current !== old) return;
    this.#renewing ??= this.#open()
      .then((renewed) => {
        this.#connected = Promise.resolve(renewed);
        this.#retiring.add(old.connection, this.#settings.timeoutMs * LONG_LIMITS);
      })
      .finally(() => {
        this.#renewing = null;
      });
    try {
      await this.#renewing;
    } catch (error) {
      // Whether the key is there is not known.
      throw this.#unreachable(error);
    }
  }

  async #send(connection: ChildConnection, lane: number, request: Request): Promise<Answers[keyof Answers]> {
    try {
      return await connection.call(lane, request);
    } catch (error) {
      if (!isLoggedOut(error)) throw error;
    }
    // All sessions are logged out at once, and one login is for all.
    this.#loggingIn ??= this.#attemptLogin(this.#expected?.token, () =>
      connection.loginAgain(this.#settings.pin),
    ).finally(() => {
      this.#loggingIn = null;
    });
    await this.#loggingIn;
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
    const waitMs = Math.max(this.#retryAt - this.#parts.now(), 1000);
    return hsmUnavailable(this.#settings.id, `it cannot be reached (${asError(error).message})`, waitMs, error);
  }

  #replace(connection: ChildConnection, reason: unknown): void {
    if (this.#current?.connection === connection) {
      this.#current = null;
      this.#connected = null;
    }
    connection.kill(goneFor(asError(reason)));
  }

  #connection(): Promise<Connected> {
    if (this.#closed) return Promise.reject(hsmUnavailable(this.#settings.id, 'it was closed', 1000));
    if (this.#refused !== null) return Promise.reject(this.#refused);
    if (this.#connected !== null) return this.#connected;
    const waitMs = this.#retryAt - this.#parts.now();
    if (waitMs > 0) {
      const reason = `it cannot be reached (${this.#lastError ?? 'unknown'})`;
      return Promise.reject(hsmUnavailable(this.#settings.id, reason, waitMs));
    }
    const attempt = this.#open().catch((error: unknown) => {
      this.#connected = null;
      this.#lastError = asError(error).message;
      this.#retryAt = this.#parts.now() + this.#pauseMs;
      this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
      throw error;
    });
    this.#connected = attempt;
    return attempt;
  }

  async #open(): Promise<Connected> {
    this.#starts += 1;
    const connection: ChildConnection = new ChildConnection(this.#parts.environment, () => {
      if (this.#current?.connection === connection) {
        this.#current = null;
        this.#connected = null;
      }
    });
    this.#opening = connection;
    const limitMs = Math.max(LEAST_CONNECT_LIMIT_MS, this.#settings.timeoutMs);
    try {
      const opened = await within(limitMs, this.#logIn(connection));
      // It may have ended since it was ready, before anything knew that it could be taken away.
      if (connection.gone !== null) throw connection.gone;
      this.#expected = opened;
      this.#mechanisms = opened.mechanisms;
      this.#current = opened;
      this.#pauseMs = FIRST_PAUSE_MS;
      return opened;
    } catch (error) {
      connection.kill(asError(error));
      throw error;
    } finally {
      this.#opening = null;
    }
  }

  async #logIn(connection: ChildConnection): Promise<Connected> {
    const { modulePath, slot, tokenLabel, pin, poolSize } = this.#settings;
    const expected = this.#expected?.token ?? null;
    const opened = await connection.open({ modulePath, slot, tokenLabel, expected, taken: this.#parts.taken() });
    let mechanisms: readonly number[] = [];
    await this.#attemptLogin(opened.token, async () => {
      mechanisms = await connection.login(pin, poolSize);
    });
    const presence = new TokenPresence(this.#parts.now);
    const direct: DirectCall = async <R extends Request>(request: R) => {
      // The request decides the kind of its answer; the first lane is as good as any other.
      const answer = (await connection.call(0, request)) as Answers[R['op']];
      presence.answered(request);
      return answer;
    };
    await this.#check(direct);
    return { ...opened, connection, mechanisms, presence };
  }

  /** A PIN is tried once; a token that refused it, now or before, is not asked again. */
  async #attemptLogin(token: TokenIdentity | undefined, login: () => Promise<void>): Promise<void> {
    const { modulePath } = this.#settings;
    try {
      if (token === undefined || !(await this.#parts.refusedPins.attempt(token, login, isPinRefusal)))
        throw pinRefused(modulePath, 'it did so before');
    } catch (error) {
      const problem = configurationError(modulePath, error);
      if (problem?.problem === 'pin') this.#refused = problem;
      throw problem ?? error;
    }
  }
}
