import type { HsmConfigurationError } from '../configuration/configuration-error.ts';
import type { HsmSettings } from '../configuration/hsm-config.ts';
import type { Answers, Request, TokenIdentity } from '../protocol/messages.ts';
import { ChildConnection, ChildGone, type TokenOpened } from './child-connection.ts';
import type { Connected } from './connected.ts';
import { within } from './deadline.ts';
import { asError, configurationError, hsmUnavailable, isPinRefusal, pinRefused } from './hsm-errors.ts';
import type { LinkParts } from './link-status.ts';
import { RetiringConnections } from './retiring-connections.ts';
import { TokenPresence } from './token-presence.ts';

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 30_000;
/** Starting a process and logging in takes longer than a call. */
const LEAST_CONNECT_LIMIT_MS = 20_000;

/** Sends one request to the token, whatever the state of the breaker: for checks of a new connection. */
export type DirectCall = <R extends Request>(request: R) => Promise<Answers[R['op']]>;

/** A process that is being started and logged in. */
interface Attempt {
  readonly connection: ChildConnection;
  readonly outcome: Promise<Connected>;
}

type State =
  /**
   * There is no process. The next one is started when it is asked for, but not before `retryAt`, as the last attempt failed for
   * `reason`; if it fails too, the one after it waits for `pauseMs`.
   */
  | { readonly kind: 'apart'; readonly retryAt: number; readonly reason: string; readonly pauseMs: number }
  | { readonly kind: 'opening'; readonly attempt: Attempt; readonly pauseMs: number }
  | { readonly kind: 'open'; readonly connected: Connected }
  /** A process that sees the token as it is now is about to take over. */
  | { readonly kind: 'renewing'; readonly connected: Connected; readonly attempt: Attempt }
  /** The token refused the PIN, and is not asked again. */
  | { readonly kind: 'refused'; readonly problem: HsmConfigurationError }
  | { readonly kind: 'closed' };

const APART: State = { kind: 'apart', retryAt: 0, reason: '', pauseMs: FIRST_PAUSE_MS };

/** Keeps one process that is logged in to a token: starts it when it is asked for, and again when it has ended. */
export class TokenProcess {
  readonly #settings: HsmSettings;
  readonly #parts: LinkParts;
  /** For how long a process that was replaced may work on the calls that it has. */
  readonly #retireLimitMs: number;
  readonly #retiring = new RetiringConnections();
  readonly #logins = new Map<ChildConnection, Promise<void>>();
  #state: State = APART;
  #seen: Connected | null = null;
  #starts = 0;
  #check: (call: DirectCall) => Promise<void> = () => Promise.resolve();

  constructor(settings: HsmSettings, parts: LinkParts, retireLimitMs: number) {
    this.#settings = settings;
    this.#parts = parts;
    this.#retireLimitMs = retireLimitMs;
  }

  /** What every later connection must pass before it is used. */
  checkEachConnection(check: (call: DirectCall) => Promise<void>): void {
    this.#check = check;
  }

  /** The process that calls are sent to, if there is one. */
  get current(): Connected | null {
    return this.#state.kind === 'open' || this.#state.kind === 'renewing' ? this.#state.connected : null;
  }

  /** The token as it was when it was connected last. */
  get seen(): Pick<Connected, 'token' | 'slotId' | 'mechanisms'> | null {
    return this.#seen;
  }

  /** How often a process was started. */
  get starts(): number {
    return this.#starts;
  }

  /** How long it is until a process is started again. */
  get waitMs(): number {
    return this.#state.kind === 'apart' ? this.#state.retryAt - this.#parts.now() : 0;
  }

  /** The process that calls are sent to, which is started if there is none. */
  connected(): Promise<Connected> {
    switch (this.#state.kind) {
      case 'closed':
        return Promise.reject(hsmUnavailable(this.#settings.id, 'it was closed', 1000));
      case 'refused':
        return Promise.reject(this.#state.problem);
      case 'open':
      case 'renewing':
        return Promise.resolve(this.#state.connected);
      case 'opening':
        return this.#state.attempt.outcome;
      case 'apart': {
        const { waitMs } = this;
        if (waitMs > 0) {
          const reason = `it cannot be reached (${this.#state.reason})`;
          return Promise.reject(hsmUnavailable(this.#settings.id, reason, waitMs));
        }
        const attempt = this.#start();
        this.#state = { kind: 'opening', attempt, pauseMs: this.#state.pauseMs };
        return attempt.outcome;
      }
    }
  }

  /**
   * Gives new calls a process that sees the token as it is now. Those in progress finish with the one that they have,
   * which is sound except for its view.
   */
  async renew(old: Connected): Promise<void> {
    if (this.current !== old) return;
    const attempt = this.#state.kind === 'renewing' ? this.#state.attempt : this.#start();
    this.#state = { kind: 'renewing', connected: old, attempt };
    await attempt.outcome;
  }

  /** Ends a process at once. If calls are sent to it, they are sent to another one from now on. */
  replace(connection: ChildConnection, reason: Error): void {
    this.#gone(connection);
    connection.kill(reason);
  }

  /** Logs the sessions of a process in again, which were all logged out at once: one login is for all. */
  loginAgain({ connection, token }: Connected): Promise<void> {
    const login =
      this.#logins.get(connection) ??
      this.#attemptLogin(token, () => connection.loginAgain(this.#settings.pin)).finally(() => {
        this.#logins.delete(connection);
      });
    this.#logins.set(connection, login);
    return login;
  }

  async close(): Promise<void> {
    const state = this.#state;
    this.#state = { kind: 'closed' };
    const reason = new ChildGone('The HSM was closed.');
    if (state.kind === 'opening' || state.kind === 'renewing') state.attempt.connection.kill(reason);
    this.#retiring.kill(reason);
    if (state.kind === 'open' || state.kind === 'renewing') await state.connected.connection.close();
  }

  #start(): Attempt {
    this.#starts += 1;
    const connection: ChildConnection = new ChildConnection(this.#parts.environment, () => this.#gone(connection));
    const outcome = this.#open(connection).then(
      (connected) => {
        this.#opened(connection, connected);
        return connected;
      },
      (error: unknown) => {
        connection.kill(asError(error));
        this.#failed(connection, asError(error).message);
        throw error;
      },
    );
    return { connection, outcome };
  }

  async #open(connection: ChildConnection): Promise<Connected> {
    const limitMs = Math.max(LEAST_CONNECT_LIMIT_MS, this.#settings.timeoutMs);
    const connected = await within(limitMs, this.#logIn(connection));
    // It may have ended since it was ready, before anything knew that it could be taken away.
    if (connection.gone !== null) throw connection.gone;
    return connected;
  }

  #opened(connection: ChildConnection, connected: Connected): void {
    const state = this.#state;
    if ((state.kind !== 'opening' && state.kind !== 'renewing') || state.attempt.connection !== connection) {
      // The token has refused the PIN of another process in the meantime.
      connection.kill(new ChildGone('The process is not needed any more.'));
      return;
    }
    if (state.kind === 'renewing') this.#retiring.add(state.connected.connection, this.#retireLimitMs);
    this.#seen = connected;
    this.#state = { kind: 'open', connected };
  }

  #failed(connection: ChildConnection, reason: string): void {
    const state = this.#state;
    if ((state.kind !== 'opening' && state.kind !== 'renewing') || state.attempt.connection !== connection) return;
    if (state.kind === 'renewing') {
      this.#state = { kind: 'open', connected: state.connected };
      return;
    }
    const { pauseMs } = state;
    const retryAt = this.#parts.now() + pauseMs;
    this.#state = { kind: 'apart', retryAt, reason, pauseMs: Math.min(pauseMs * 2, LONGEST_PAUSE_MS) };
  }

  /** A process accepts no more calls. One that is about to take over does so as soon as it is ready. */
  #gone(connection: ChildConnection): void {
    const state = this.#state;
    if (this.current?.connection !== connection) return;
    this.#state =
      state.kind === 'renewing' ? { kind: 'opening', attempt: state.attempt, pauseMs: FIRST_PAUSE_MS } : APART;
  }

  async #logIn(connection: ChildConnection): Promise<Connected> {
    const { modulePath, slot, tokenLabel, pin, poolSize } = this.#settings;
    const expected = this.#seen?.token ?? null;
    const opened: TokenOpened = await connection.open({
      modulePath,
      slot,
      tokenLabel,
      expected,
      taken: this.#parts.taken(),
    });
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
  async #attemptLogin(token: TokenIdentity, login: () => Promise<void>): Promise<void> {
    const { modulePath } = this.#settings;
    try {
      if (!(await this.#parts.refusedPins.attempt(token, login, isPinRefusal)))
        throw pinRefused(modulePath, 'it did so before');
    } catch (error) {
      const problem = configurationError(modulePath, error);
      if (problem?.problem === 'pin') this.#refuse(problem);
      throw problem ?? error;
    }
  }

  #refuse(problem: HsmConfigurationError): void {
    const { current } = this;
    if (this.#state.kind === 'closed') return;
    this.#state = { kind: 'refused', problem };
    // Calls in progress get their answers.
    if (current !== null) this.#retiring.add(current.connection, this.#retireLimitMs);
  }
}
