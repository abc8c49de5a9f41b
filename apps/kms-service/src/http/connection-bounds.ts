import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** How often connections are looked at. Until then more may wait than is allowed: what can be answered in this time. */
const LOOK_MS = 50;
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
}

/**
 * Closes connections whose clients do not read: those that leave what waited for them for longer than they may, and, when all
 * together take too much memory, those that have been waited for the longest. A client that asks without reading, again and
 * again on one connection, is closed at once.
 */
export class ConnectionBounds {
  readonly #limits: ConnectionLimits;
  readonly #closed: (closed: ClosedConnection) => void;
  readonly #sockets = new Map<Socket, Waiting | undefined>();
  /** Answers behind another one on their connection: Node keeps them apart from what the connection holds. */
  readonly #queued = new Map<Socket, Set<ServerResponse>>();
  readonly #timer: NodeJS.Timeout;

  constructor(limits: ConnectionLimits, closed: (closed: ClosedConnection) => void) {
    this.#limits = limits;
    this.#closed = closed;
    this.#timer = setInterval(() => this.#look(), LOOK_MS).unref();
  }

  watch(socket: Socket): void {
    this.#sockets.set(socket, undefined);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#queued.delete(socket);
    });
  }

  /** Takes up a request that came before the one before it on its connection was answered; `false` when there are too many. */
  admitQueued({ socket }: IncomingMessage, response: ServerResponse): boolean {
    const queued = this.#queued.get(socket) ?? new Set();
    this.#queued.set(socket, queued.add(response));
    response.once('close', () => queued.delete(response));
    if (queued.size <= MOST_QUEUED) return true;
    this.#close(socket, 'too many requests without reading an answer');
    return false;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const now = performance.now();
    let total = 0;
    for (const [socket, waiting] of this.#sockets) {
      const buffered = this.#bufferedOf(socket);
      total += buffered;
      if (buffered === 0) {
        if (waiting !== undefined) this.#sockets.set(socket, undefined);
        continue;
      }
      const taken = socket.bytesWritten - socket.writableLength;
      if (waiting === undefined || taken >= waiting.until)
        this.#sockets.set(socket, { since: now, until: taken + socket.writableLength });
      else if (now - waiting.since > this.#limits.readTimeoutMs) this.#close(socket, 'the answer was not read in time');
    }
    if (total > this.#limits.bufferedBytes) this.#makeRoom(total);
  }

  #makeRoom(total: number): void {
    const waiting = [...this.#sockets].flatMap(([socket, one]) => (one === undefined ? [] : [{ socket, ...one }]));
    let left = total;
    for (const { socket } of waiting.sort((a, b) => a.since - b.since)) {
      if (left <= this.#limits.bufferedBytes) return;
      left -= this.#bufferedOf(socket);
      this.#close(socket, 'too many answers wait to be read');
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
  }
}
