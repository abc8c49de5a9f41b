import type { Socket } from 'node:net';
import { KmsError } from '@qnsp/kms-core';
import { type Address, describeAddress } from './address.ts';
import { NO_SERVER_FITS } from './connection-problem.ts';
import type { SessionAttributes } from './connection-url.ts';

/** What a server says it is. */
export interface ServerState {
  readonly isStandby: boolean;
  readonly isReadOnly: boolean;
}

export interface ServerChoiceOptions {
  readonly addresses: readonly Address[];
  readonly targetSessionAttributes: SessionAttributes;
  /** Connects to one of them. */
  readonly connect: (address: Address, limitMs: number, aborted: AbortSignal) => Promise<Socket>;
  /** Logs in at one of them and asks what it is. */
  readonly probe: (address: Address) => Promise<ServerState>;
}

const IS_WANTED: Readonly<Record<SessionAttributes, (state: ServerState) => boolean>> = {
  any: () => true,
  'read-write': ({ isReadOnly }) => !isReadOnly,
  'read-only': ({ isReadOnly }) => isReadOnly,
  primary: ({ isStandby }) => !isStandby,
  standby: ({ isStandby }) => isStandby,
  'prefer-standby': ({ isStandby }) => isStandby,
};

/**
 * Which of several servers is connected to: the first that can be reached and is what was asked for. It stays chosen
 * until a connection to it ends, after which another one may have taken its role.
 */
export class ServerChoice {
  readonly #options: ServerChoiceOptions;
  #chosen: Promise<Address> | undefined;

  constructor(options: ServerChoiceOptions) {
    this.#options = options;
  }

  async connect(limitMs: number, aborted: AbortSignal): Promise<Socket> {
    const { addresses, targetSessionAttributes, connect } = this.#options;
    const [only] = addresses;
    if (targetSessionAttributes !== 'any') return this.#connectToChosen(limitMs, aborted);
    if (only !== undefined && addresses.length === 1) return connect(only, limitMs, aborted);
    return this.#first((address) => connect(address, limitMs, aborted));
  }

  async #connectToChosen(limitMs: number, aborted: AbortSignal): Promise<Socket> {
    const chosen = (this.#chosen ??= this.#choose());
    const doubt = (): void => {
      if (this.#chosen === chosen) this.#chosen = undefined;
    };
    try {
      const socket = await this.#options.connect(await chosen, limitMs, aborted);
      socket.once('close', doubt);
      return socket;
    } catch (error) {
      doubt();
      throw error;
    }
  }

  #choose(): Promise<Address> {
    const { targetSessionAttributes, probe } = this.#options;
    const chosen = this.#first(async (address) => {
      const state = await probe(address);
      if (IS_WANTED[targetSessionAttributes](state)) return address;
      throw Object.assign(new Error(state.isStandby ? 'a standby' : state.isReadOnly ? 'read-only' : 'a primary'), {
        code: 'CONNECT_OTHER_SERVER',
      });
    });
    if (targetSessionAttributes !== 'prefer-standby') return chosen;
    return chosen.catch(() => this.#first(async (address) => probe(address).then(() => address)));
  }

  /** What the first of them returns. Throws the only failure, or one that names them all, with the code of the last. */
  async #first<T>(attempt: (address: Address) => Promise<T>): Promise<T> {
    const { addresses } = this.#options;
    const failures: string[] = [];
    let last: unknown;
    for (const address of addresses) {
      try {
        return await attempt(address);
      } catch (error) {
        // As in libpq: a client refused by one server does not ask the next.
        if (/^(?:28|3D)/.test(codeOf(error))) throw error;
        last = error;
        failures.push(messageAt(error, describeAddress(address)));
      }
    }
    if (failures.length === 1 && !isOther(last)) throw last;
    throw Object.assign(new Error(`${NO_SERVER_FITS}${failures.join('; ')}`), { code: codeOf(last), cause: last });
  }
}

function messageAt(error: unknown, place: string): string {
  // A store error says less than its cause.
  const cause = KmsError.is(error) && error.cause !== undefined ? error.cause : error;
  const message = cause instanceof Error ? cause.message : String(cause);
  return message.startsWith(place) ? message : `${place}: ${message}`;
}

function isOther(error: unknown): boolean {
  return codeOf(error) === 'CONNECT_OTHER_SERVER';
}

function codeOf(error: unknown): string {
  for (let current = error; current instanceof Error; current = current.cause) {
    const code: unknown = Reflect.get(current, 'code');
    if (typeof code === 'string' && !(KmsError.is(current) && current.cause !== undefined)) return code;
  }
  return 'CONNECT_FAILED';
}
