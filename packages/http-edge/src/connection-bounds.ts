import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** How often to check who has read nothing for too long, while anything waits to be read. */
const LOOK_MS = 50;
/** How often to count what waits on all connections, while nothing is known to wait: a process that has nothing to do rests. */
const IDLE_LOOK_MS = 1000;
/** How many requests of one connection may wait for the answer to the one before. */
const MOST_QUEUED = 16;

export interface ConnectionLimits {
  /** How long a client may take to read what was answered. */
  readonly readTimeoutMs: number;
  /** How many bytes of answers may wait for their clients, all together. */
  readonly bufferedBytes: number;
}

/** Why a connection was closed. */
export interface ClosedConnection {
  readonly reason: string;
  readonly address: string | undefined;
  readonly bufferedBytes: number;
}

/** What waits on a connection to be read. */
interface Waiting {
  readonly since: number;
  /** How many bytes will have been taken when all that waited then is. */
  readonly until: number;
  /** How many bytes waited when they were counted last. */
  bytes: number;
}

/**
 * Closes connections whose clients do not read: those that leave what waited for them for longer than they may, and, when all
 * together take too much memory, those that have been waited for the longest. A client that asks without reading, again and
 * again on one connection, is closed at once. What waits is counted whenever an answer is written that the system does not take
 * at once, so that never more waits than may.
 */
export class ConnectionBounds {
  readonly #limits: ConnectionLimits;
  readonly #closed: (closed: ClosedConnection) => void;
  readonly #sockets = new Set<Socket>();
  /** Those on which something waits, that which has waited for the longest first. */
  readonly #waiting = new Map<Socket, Waiting>();
  /** How much was waiting when each of them was counted last: at least what waits now. */
  #total = 0;
  /** Answers queued after another one on their connection: Node keeps them apart from what the connection holds. */
  readonly #queued = new Map<Socket, Set<ServerResponse>>();
  #next: { readonly timer: NodeJS.Timeout; readonly isSoon: boolean } | undefined;
  #stopped = false;

  constructor(limits: ConnectionLimits, closed: (closed: ClosedConnection) => void) {
    this.#limits = limits;
    this.#closed = closed;
  }

  watch(socket: Socket): void {
    this.#sockets.add(socket);
    this.#schedule();
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#queued.delete(socket);
      this.#forget(socket);
    });
  }

  /** The responses of a server whose connections are watched. They cost a comparison where nothing waits. */
  responses(): typeof ServerResponse<IncomingMessage> {
    const count = (socket: Socket) => this.isBehind(socket);
    // An answer queued after another one has no socket yet.
    return class CountedResponse extends ServerResponse {
      override write(...written: unknown[]): boolean {
        const goOn = super.write(...(written as Parameters<ServerResponse['write']>));
        if (this.socket === null || this.socket.writableLength > 0) count(this.req.socket);
        return goOn;
      }

      override end(chunk?: unknown, encoding?: unknown, done?: unknown): this {
        // Node finds out itself which of them was left out.
        super.end(chunk, encoding as BufferEncoding, done as () => void);
        if (this.socket === null || this.socket.writableLength > 0) count(this.req.socket);
        return this;
      }
    };
  }

  /**
   * Takes up a request that came before the one before it on its connection was answered. Where there are too many, the connection is closed,
   * but not before those had their turn that came together: whether Node reads on in between depends on how it got their bytes.
   */
  queue({ socket }: IncomingMessage, response: ServerResponse): void {
    const queued = this.#queued.get(socket) ?? new Set();
    this.#queued.set(socket, queued.add(response));
    response.once('close', () => queued.delete(response));
    if (queued.size !== MOST_QUEUED + 1) return;
    setImmediate(() => {
      if (queued.size > MOST_QUEUED && !socket.destroyed)
        this.#close(socket, 'too many requests without reading an answer');
    });
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#next?.timer);
  }

  /** Sees to it that the next look comes as soon as it has to. */
  #schedule(): void {
    const isSoon = this.#waiting.size > 0;
    if (this.#stopped || this.#sockets.size === 0) return;
    if (this.#next !== undefined && (this.#next.isSoon || !isSoon)) return;
    clearTimeout(this.#next?.timer);
    const timer = setTimeout(
      () => {
        this.#next = undefined;
        this.#look();
        this.#schedule();
      },
      isSoon ? LOOK_MS : IDLE_LOOK_MS,
    ).unref();
    this.#next = { timer, isSoon };
  }

  /** Counts what waits for the client of a connection, after an answer was written that the system did not take at once. */
  isBehind(socket: Socket): void {
    this.#recount(socket, performance.now());
    if (this.#total > this.#limits.bufferedBytes) this.#makeRoom();
  }

  #recount(socket: Socket, now: number): void {
    const bytes = socket.destroyed ? 0 : this.#bufferedOf(socket);
    const waiting = this.#waiting.get(socket);
    if (bytes === 0) {
      this.#forget(socket);
      return;
    }
    const taken = socket.bytesWritten - socket.writableLength;
    if (waiting !== undefined && taken < waiting.until) {
      this.#total += bytes - waiting.bytes;
      waiting.bytes = bytes;
      return;
    }
    this.#forget(socket);
    this.#waiting.set(socket, { since: now, until: taken + socket.writableLength, bytes });
    this.#total += bytes;
    this.#schedule();
  }

  #forget(socket: Socket): void {
    const waiting = this.#waiting.get(socket);
    if (waiting === undefined) return;
    this.#total -= waiting.bytes;
    this.#waiting.delete(socket);
  }

  #look(): void {
    const now = performance.now();
    for (const socket of this.#sockets) {
      this.#recount(socket, now);
      const waiting = this.#waiting.get(socket);
      if (waiting !== undefined && now - waiting.since > this.#limits.readTimeoutMs)
        this.#close(socket, 'the answer was not read in time');
    }
    if (this.#total > this.#limits.bufferedBytes) this.#makeRoom();
  }

  #makeRoom(): void {
    const now = performance.now();
    // One from which something was taken moves behind the others while they are counted.
    const counted = [...this.#waiting.keys()];
    for (const socket of counted) this.#recount(socket, now);
    for (const socket of this.#waiting.keys()) {
      if (this.#total <= this.#limits.bufferedBytes) return;
      this.#close(socket, 'too many unread answers');
    }
  }

  #bufferedOf(socket: Socket): number {
    let bytes = socket.writableLength;
    for (const response of this.#queued.get(socket) ?? [])
      if (response.socket === null) bytes += response.writableLength;
    return bytes;
  }

  #close(socket: Socket, reason: string): void {
    this.#closed({ reason, address: socket.remoteAddress, bufferedBytes: this.#bufferedOf(socket) });
    socket.destroy();
    this.#forget(socket);
  }
}
