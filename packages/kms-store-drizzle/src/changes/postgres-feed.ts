import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChangeFeed, FeedEvent } from '@qnsp/kms-core';
import type { Connection } from '../postgres/connection.ts';
import { CHANNEL, eventOf, markStatement, nameIn } from './channel.ts';
import { Heartbeats } from './heartbeats.ts';

/** Between two heartbeats: a few may be late before what is held can not be used. */
const HEARTBEAT_MS = 200;
/** A connection on which a heartbeat takes longer is given up. */
const OVERDUE_MS = 3000;
const RECONNECT_MS = { first: 50, most: 2000 };

/**
 * The changes of a PostgreSQL database, by LISTEN on a connection of its own.
 *
 * PostgreSQL delivers the notifications of a database to each listener in the order in which their transactions
 * committed, and a heartbeat is a notification like any other. So when a heartbeat comes back, everything that was
 * committed before it was sent has come before it. A connection that was lost may have missed changes: the next one begins
 * with a gap. Connects when somebody subscribes, and again by itself for as long as it takes.
 */
export class PostgresFeed implements ChangeFeed {
  readonly #open: (onNotify: (channel: string, payload: string) => void) => Connection;
  readonly #onLost: (error: unknown) => void;
  readonly #listeners = new Set<(event: FeedEvent) => void>();
  readonly #heartbeats = new Heartbeats();
  readonly #closing = new AbortController();
  #running: Promise<void> | undefined;
  #connection: Connection | undefined;

  /**
   * @param open makes a connection that hands every notification over as it comes
   * @param onLost is told of each connection that could not be made or was lost, and why
   */
  constructor(
    open: (onNotify: (channel: string, payload: string) => void) => Connection,
    onLost: (error: unknown) => void,
  ) {
    this.#open = open;
    this.#onLost = onLost;
  }

  subscribe(listener: (event: FeedEvent) => void): () => void {
    this.#listeners.add(listener);
    listener({ kind: 'gap' });
    this.#running ??= this.#run();
    return () => this.#listeners.delete(listener);
  }

  provenAt(): number {
    return this.#heartbeats.provenAt();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#connection?.destroy();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    let pause = RECONNECT_MS.first;
    while (!signal.aborted) {
      const begun = performance.now();
      await this.#listen();
      this.#heartbeats.interrupted();
      if (performance.now() - begun > RECONNECT_MS.most) pause = RECONNECT_MS.first;
      await pauseFor(pause, signal);
      pause = Math.min(RECONNECT_MS.most, pause * 2);
    }
  }

  /** One connection, from its first statement until it is lost. */
  async #listen(): Promise<void> {
    const lost = new AbortController();
    const connection = this.#open((channel, payload) => {
      if (channel === CHANNEL && !connection.lost)
        this.#deliver(eventOf(payload, (name) => this.#heartbeats.isUnderWay(name)));
    });
    connection.onLost = () => lost.abort(new Error('the connection was lost'));
    this.#connection = connection;
    try {
      await connection.simple(`listen ${CHANNEL}`);
      // From here on nothing is missed; what was read before may have been.
      this.#deliver({ kind: 'gap' });
      while (!connection.lost && !this.#closing.signal.aborted) {
        this.#beat(connection);
        await pauseFor(HEARTBEAT_MS, lost.signal);
      }
      throw lost.signal.reason;
    } catch (error) {
      // Whatever it is: without proof nothing is trusted, and the next attempt comes.
      if (!this.#closing.signal.aborted) this.#onLost(error);
    } finally {
      connection.destroy();
    }
  }

  #beat(connection: Connection): void {
    if (this.#heartbeats.overdueMs() > OVERDUE_MS) {
      // A heartbeat that does not come back is a connection that does not tell.
      connection.destroy();
      return;
    }
    const name = randomUUID();
    this.#heartbeats.sending(name);
    connection.simple(markStatement(name)).catch(() => connection.destroy());
  }

  #deliver(event: FeedEvent): void {
    for (const listener of this.#listeners) listener(event);
    // Last, so that what it proves is true in every listener.
    if (event.kind === 'mark') this.#heartbeats.received(nameIn(event.mark));
  }
}

function pauseFor(ms: number, ended: AbortSignal): Promise<void> {
  return sleep(ms, undefined, { signal: ended, ref: false }).catch(() => undefined);
}
