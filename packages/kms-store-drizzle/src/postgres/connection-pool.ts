import type { KmsError } from '@qnsp/kms-core';
import { storeClosed, timedOut } from '../driver/store-errors.ts';
import type { Connection } from './connection.ts';

export interface PoolOptions {
  readonly open: () => Connection;
  readonly max: number;
  readonly idleMs: number;
  /** How long one use may take, including the wait for a connection. */
  readonly limitMs: number;
}

interface Idle {
  readonly connection: Connection;
  readonly timer: NodeJS.Timeout;
}

interface Waiter {
  readonly resolve: (connection: Connection) => void;
  readonly reject: (error: KmsError) => void;
}

/** Hands out connections, each to one user at a time, and destroys the connection of a user who takes too long. */
export class ConnectionPool {
  readonly #options: PoolOptions;
  /** The one used last is at the end and goes first, so that the others can age. */
  #idle: Idle[] = [];
  #waiting: Waiter[] = [];
  readonly #open = new Set<Connection>();
  #closing: Promise<void> | undefined;
  #drained: () => void = () => undefined;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** Throws `STORE_UNAVAILABLE` when it takes longer than the limit; `work` then meets a dead connection. */
  async use<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const { limitMs } = this.#options;
    let giveUp = (): void => undefined;
    let timer: NodeJS.Timeout | undefined;
    const expired = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        reject(timedOut(limitMs));
        giveUp();
      }, limitMs);
    });
    const run = async (): Promise<T> => {
      const connection = await this.#acquire((leave) => {
        giveUp = leave;
      });
      giveUp = () => connection.destroy();
      try {
        return await work(connection);
      } finally {
        this.#release(connection);
      }
    };
    try {
      return await Promise.race([run(), expired]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Takes no more users, and ends every connection when its user is done. */
  close(): Promise<void> {
    this.#closing ??= this.#drain();
    return this.#closing;
  }

  async #drain(): Promise<void> {
    for (const waiter of this.#waiting.splice(0)) waiter.reject(storeClosed());
    const drained = new Promise<void>((resolve) => {
      this.#drained = resolve;
    });
    for (const { connection, timer } of this.#idle.splice(0)) {
      clearTimeout(timer);
      void connection.end();
    }
    if (this.#open.size > 0) await drained;
  }

  #acquire(onWait: (leave: () => void) => void): Promise<Connection> {
    if (this.#closing !== undefined) return Promise.reject(storeClosed());
    const idle = this.#idle.pop();
    if (idle !== undefined) {
      clearTimeout(idle.timer);
      return Promise.resolve(idle.connection);
    }
    if (this.#open.size < this.#options.max) return Promise.resolve(this.#add());
    return new Promise((resolve, reject) => {
      const waiter = { resolve, reject };
      this.#waiting.push(waiter);
      onWait(() => {
        this.#waiting = this.#waiting.filter((other) => other !== waiter);
      });
    });
  }

  #add(): Connection {
    const connection = this.#options.open();
    connection.onLost = () => this.#remove(connection);
    this.#open.add(connection);
    return connection;
  }

  #release(connection: Connection): void {
    if (connection.lost) return;
    if (this.#closing !== undefined) {
      void connection.end();
      return;
    }
    const next = this.#waiting.shift();
    if (next !== undefined) {
      next.resolve(connection);
      return;
    }
    const timer = setTimeout(() => {
      this.#idle = this.#idle.filter((idle) => idle.connection !== connection);
      void connection.end();
    }, this.#options.idleMs);
    this.#idle.push({ connection, timer });
  }

  #remove(connection: Connection): void {
    this.#open.delete(connection);
    for (const idle of this.#idle) if (idle.connection === connection) clearTimeout(idle.timer);
    this.#idle = this.#idle.filter((idle) => idle.connection !== connection);
    // Its place is free: the longest waiter gets a new one.
    const next = this.#waiting.shift();
    next?.resolve(this.#add());
    if (this.#open.size === 0) this.#drained();
  }
}
