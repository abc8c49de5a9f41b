import { type ChildProcess, fork } from 'node:child_process';
import { extname } from 'node:path';
import type { Answers, Fault, FromChild, Request, ToChild, TokenIdentity } from '../protocol/messages.ts';

const CHILD = new URL(`../child/main${extname(import.meta.url)}`, import.meta.url);
const CLOSE_LIMIT_MS = 2000;
/** The flags of Node.js that say which cryptography a process may use: those of the service hold for the process of the module, too. */
const CRYPTOGRAPHY_FLAG = /^--(?:openssl-config|force-fips|enable-fips)\b/;

/** A fault that the module's process reported, or its end. */
export class ChildFault extends Error {
  readonly fault: Fault;

  constructor(fault: Fault) {
    super(describeFault(fault));
    this.name = 'ChildFault';
    this.fault = fault;
  }
}

/** The process ended, was ended, or did not answer in time. */
export class ChildGone extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'ChildGone';
  }
}

export interface TokenOpened {
  readonly token: TokenIdentity;
  readonly slotId: number;
}

interface Waiting {
  readonly resolve: (value: Answers[keyof Answers]) => void;
  readonly reject: (error: Error) => void;
}

/** One run of the process that holds the PKCS #11 module. It never comes back once it is gone. */
export class ChildConnection {
  readonly #child: ChildProcess;
  readonly #calls = new Map<number, Waiting>();
  readonly #ended: Promise<void>;
  readonly #onGone: () => void;
  #steps: { resolve: (message: FromChild) => void; reject: (error: Error) => void } | null = null;
  #nextCall = 0;
  #gone: Error | null = null;

  /**
   * @param environment what the module finds in its environment: where its own configuration is, for instance
   * @param onGone called once, at the first sign that the process accepts no more calls
   */
  constructor(environment: NodeJS.ProcessEnv, onGone: () => void) {
    this.#onGone = onGone;
    // The module's own messages go where the service's diagnostics go; stdout belongs to the service.
    const execArgv = process.execArgv.filter((flag) => CRYPTOGRAPHY_FLAG.test(flag));
    this.#child = fork(CHILD, { env: environment, execArgv, serialization: 'advanced', stdio: [0, 2, 2, 'ipc'] });
    // A process whose module hangs does not notice that this one ends.
    const endWithThisProcess = (): void => {
      this.#child.kill('SIGKILL');
    };
    process.once('exit', endWithThisProcess);
    this.#ended = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => {
        process.removeListener('exit', endWithThisProcess);
        resolve();
        this.#fail(new ChildGone(`The process of the PKCS #11 module ended (${signal ?? `code ${code ?? '?'}`}).`));
      });
    });
    this.#child.once('error', (cause) => {
      this.#fail(new ChildGone(`The process of the PKCS #11 module failed: ${cause.message}`));
    });
    this.#child.on('message', (message: FromChild) => this.#receive(message));
  }

  get pid(): number | null {
    return this.#child.pid ?? null;
  }

  /** Why it accepts no more calls; null while it does. */
  get gone(): Error | null {
    return this.#gone;
  }

  /** Loads the module and finds the token. */
  async open(message: Omit<Extract<ToChild, { kind: 'open' }>, 'kind'>): Promise<TokenOpened> {
    const answer = await this.#step({ kind: 'open', ...message });
    if (answer.kind !== 'token') throw new ChildGone('The process of the PKCS #11 module answered out of turn.');
    return { token: answer.token, slotId: answer.slotId };
  }

  /** Logs in and opens the sessions. Returns the mechanisms of the token. */
  async login(pin: string, lanes: number): Promise<readonly number[]> {
    const answer = await this.#step({ kind: 'login', pin, lanes });
    if (answer.kind !== 'ready') throw new ChildGone('The process of the PKCS #11 module answered out of turn.');
    return answer.mechanisms;
  }

  /** Logs in again, after the token logged out on its own. */
  async loginAgain(pin: string): Promise<void> {
    await this.#step({ kind: 'login-again', pin });
  }

  /** Whether calls are in progress. */
  get isBusy(): boolean {
    return this.#calls.size > 0;
  }

  call(lane: number, request: Request): Promise<Answers[keyof Answers]> {
    if (this.#gone !== null) return Promise.reject(this.#gone);
    this.#nextCall += 1;
    const call = this.#nextCall;
    return new Promise((resolve, reject) => {
      this.#calls.set(call, { resolve, reject });
      this.#send({ kind: 'call', call, lane, request });
    });
  }

  /** Ends the process at once: a call that hangs in a module can be ended in no other way. */
  kill(reason: Error): void {
    this.#fail(reason);
    this.#child.kill('SIGKILL');
  }

  /** Lets the module finish, or ends it when that takes too long. */
  async close(): Promise<void> {
    if (this.#gone === null) {
      this.#fail(new ChildGone('The HSM was closed.'));
      this.#send({ kind: 'close' });
    }
    const force = setTimeout(() => this.#child.kill('SIGKILL'), CLOSE_LIMIT_MS);
    await this.#ended;
    clearTimeout(force);
  }

  #step(message: ToChild): Promise<FromChild> {
    if (this.#gone !== null) return Promise.reject(this.#gone);
    return new Promise((resolve, reject) => {
      this.#steps = { resolve, reject };
      this.#send(message);
    });
  }

  #send(message: ToChild): void {
    // A process that has just ended accepts no more messages, and this may be noticed before its 'exit'.
    this.#child.send(message, (error) => {
      if (error !== null) this.#fail(new ChildGone(error.message));
    });
  }

  #receive(message: FromChild): void {
    switch (message.kind) {
      case 'answer':
      case 'fault': {
        const waiting = this.#calls.get(message.call);
        this.#calls.delete(message.call);
        if (message.kind === 'answer') waiting?.resolve(message.value);
        else waiting?.reject(new ChildFault(message.fault));
        break;
      }
      case 'failed': {
        // Outside a step one of its sessions has ended, and its caller must look for another process.
        if (this.#steps === null)
          this.kill(new ChildGone(`A session of the PKCS #11 module ended: ${describeFault(message.fault)}`));
        else this.#steps.reject(new ChildFault(message.fault));
        this.#steps = null;
        break;
      }
      default:
        this.#steps?.resolve(message);
        this.#steps = null;
    }
  }

  #fail(reason: Error): void {
    if (this.#gone !== null) return;
    this.#gone = reason;
    this.#steps?.reject(reason);
    this.#steps = null;
    for (const waiting of this.#calls.values()) waiting.reject(reason);
    this.#calls.clear();
    this.#onGone();
  }
}

function describeFault(fault: Fault): string {
  switch (fault.type) {
    case 'ckr':
      return fault.name;
    case 'ambiguous':
      return `several keys fit: ${fault.ids.join(', ')}`;
    case 'weakened':
      return `${fault.attribute} is not ${fault.required}`;
    case 'not-found':
      return 'no such key';
    case 'corrupt':
      return 'a result fails its check';
    default:
      return fault.message;
  }
}
