import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChangeFeed, FeedEvent } from '@qnsp/kms-core/ports';
import type { Connection } from '../postgres/connection.ts';
import type { DatabaseClock } from '../postgres/database-clock.ts';
import { eventOf, markStatement, nameIn } from './channel.ts';
import type { Names } from '../driver/names.ts';
import { Heartbeats } from './heartbeats.ts';

/** Between two heartbeats: a few may be late before cached data becomes unusable. */
const HEARTBEAT_MS = 200;
/** The same while nobody has asked for proof lately: less than the time for which a proof may be used. */
const QUIET_HEARTBEAT_MS = 500;
/** After so many heartbeats without a question it is quiet. */
const UNASKED = 10;
/** A connection on which a heartbeat takes longer is abandoned. */
const OVERDUE_MS = 3000;
/** `most` after connections that fail, `mostSilent` after those that open and then stay silent. */
const RECONNECT_MS = { first: 50, most: 2000, mostSilent: 30_000 };

/** The connections of a feed. */
export interface FeedConnections {
  readonly names: Pick<Names, 'channel'>;
  /** Hands over every notification as it arrives. */
  listener(onNotify: (channel: string, payload: string) => void): Connection;
  /** A second one, by the path that changes take. */
  sender(): Connection;
}

/** Why an open connection is abandoned. */
class Silence extends Error {
  constructor() {
    super(
      'heartbeats do not come back on the connection for notices: the network delays them, or a pooler in transaction ' +
        'mode drops them, in which case that connection must go to the server itself or to a pooler in session mode',
    );
    this.name = 'Silence';
  }
}

/**
 * The changes of a PostgreSQL database, by LISTEN on a dedicated connection.
 *
 * PostgreSQL delivers the notifications of a database to each listener in the order in which their transactions
 * committed, and a heartbeat is a notification like any other. So when a heartbeat comes back, everything that was
 * committed before it was sent has arrived before it.
 *
 * That holds only for a heartbeat of another session: PostgreSQL hands a session its own notifications back within the
 * answer to its statement, which arrives even where a pooler drops everything that comes unasked. So heartbeats leave
 * on a second connection, they name the session that sent them, and one from the listening session itself proves
 * nothing.
 *
 * A connection that was lost may have missed changes: the next one begins with a gap. Connects when somebody
 * subscribes, and reconnects automatically for as long as it takes.
 */
export class PostgresFeed implements ChangeFeed {
  readonly #open: FeedConnections;
  readonly #channel: string;
  readonly #clock: DatabaseClock;
  readonly #onLost: (error: unknown) => void;
  readonly #listeners = new Set<(event: FeedEvent) => void>();
  readonly #heartbeats = new Heartbeats();
  /** How many heartbeats have left since somebody asked for proof. */
  #unasked = 0;
  /** Ends the pause before the next heartbeat. */
  #wake: () => void = () => undefined;
  readonly #closing = new AbortController();
  #running: Promise<void> | undefined;
  #connections: readonly Connection[] = [];

  /**
   * @param clock is told the time of the database with each heartbeat
   * @param onLost called for each connection that could not be made or was lost, with the reason
   */
  constructor(open: FeedConnections, clock: DatabaseClock, onLost: (error: unknown) => void) {
    this.#open = open;
    this.#channel = open.names.channel;
    this.#clock = clock;
    this.#onLost = onLost;
  }

  /** See {@link Heartbeats.provenAt}. Can be handed on by itself. */
  readonly provenAt = (): number => {
    if (this.#unasked > UNASKED) this.#wake();
    this.#unasked = 0;
    return this.#heartbeats.provenAt();
  };

  subscribe(listener: (event: FeedEvent) => void): () => void {
    this.#listeners.add(listener);
    listener({ kind: 'gap' });
    this.#running ??= this.#run();
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    for (const connection of this.#connections) connection.destroy();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    let pause = RECONNECT_MS.first;
    while (!signal.aborted) {
      const begun = performance.now();
      const outcome = await this.#listen();
      this.#heartbeats.interrupted();
      if (outcome !== 'silent' && performance.now() - begun > RECONNECT_MS.most) pause = RECONNECT_MS.first;
      await pauseFor(pause, signal);
      pause = Math.min(outcome === 'silent' ? RECONNECT_MS.mostSilent : RECONNECT_MS.most, pause * 2);
    }
  }

  /**
   * One pair of connections, from the first statement until one of them is lost.
   *
   * @returns `silent` if it listened and not a single heartbeat came back
   */
  async #listen(): Promise<'lost' | 'silent'> {
    const lost = new AbortController();
    const provenBefore = this.#heartbeats.provenAt();
    let session = Number.NaN;
    const listener = this.#open.listener((channel, payload) => {
      if (channel !== this.#channel || listener.lost) return;
      this.#deliver(eventOf(payload, (name, sender) => sender !== session && this.#heartbeats.isUnderWay(name)));
    });
    const sender = this.#open.sender();
    for (const connection of [listener, sender])
      connection.onLost = () => lost.abort(new Error('the connection was lost'));
    this.#connections = [listener, sender];
    try {
      // Both exist before the first heartbeat: connecting is not part of its path, and reports its own failures.
      [session] = await Promise.all([listener.session(`listen ${this.#channel}`), sender.simple('select 1')]);
      // From here on nothing is missed; what was read before may have been.
      this.#deliver({ kind: 'gap' });
      while (!lost.signal.aborted && !this.#closing.signal.aborted) {
        if (this.#heartbeats.overdueMs() > OVERDUE_MS) throw new Silence();
        this.#beat(sender);
        await this.#pauseAfterBeat(lost.signal);
      }
      throw lost.signal.reason;
    } catch (error) {
      // Whatever it is: without proof nothing is trusted, and the next attempt follows.
      if (!this.#closing.signal.aborted) this.#onLost(error);
      return error instanceof Silence && this.#heartbeats.provenAt() === provenBefore ? 'silent' : 'lost';
    } finally {
      listener.destroy();
      sender.destroy();
    }
  }

  async #pauseAfterBeat(lost: AbortSignal): Promise<void> {
    this.#unasked += 1;
    if (this.#unasked <= UNASKED) return pauseFor(HEARTBEAT_MS, lost);
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    await pauseFor(QUIET_HEARTBEAT_MS, AbortSignal.any([lost, woken.signal]));
  }

  #beat(sender: Connection): void {
    const name = randomUUID();
    this.#heartbeats.sending(name);
    const askedAt = performance.now();
    sender.simple(markStatement(this.#channel, name)).then(
      ([row]) => this.#clock.observe(askedAt, performance.now(), Number(row?.['now'])),
      () => sender.destroy(),
    );
  }

  #deliver(event: FeedEvent): void {
    const isProof = event.kind === 'mark' && event.own;
    // What was sent before never arrived: whatever else was sent in the meantime may not have arrived either.
    if (isProof && this.#heartbeats.overtakes(nameIn(event.mark))) this.#tell({ kind: 'gap' });
    this.#tell(event);
    // Last, so that what it proves is true in every listener.
    if (isProof) this.#heartbeats.received(nameIn(event.mark));
  }

  #tell(event: FeedEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

function pauseFor(ms: number, ended: AbortSignal): Promise<void> {
  return sleep(ms, undefined, { signal: ended, ref: false }).catch(() => undefined);
}
