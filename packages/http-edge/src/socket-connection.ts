import type { Socket } from 'node:net';
import type { MaybePromise } from '@qnsp/kms-core/ports';
import type { Answer } from './answer.ts';
import type { RequestHead } from './request-head.ts';
import { writeAnswer } from './socket-answer.ts';
import { readSocketHead } from './socket-head.ts';

/** Answers a request whose head was found to be one of the fast path. Never throws or rejects. */
export type Responder = (body: Buffer) => MaybePromise<Answer>;

/** What the connections of a server have in common. */
export interface SocketServing {
  /** What answers the request with this head; `undefined` for one that `node:http` has to see. */
  find(head: RequestHead): Responder | undefined;
  /** Whether the answer to a request that has just come is the last one of its connection. */
  isLast(): boolean;
  /** An answer was written that the system did not take at once. */
  isBehind(socket: Socket): void;
  /**
   * A client waits for its answer. It may be told that the connection ends with it.
   *
   * @returns to be told once it is answered
   */
  waits(socket: Socket, endsWithAnswer: () => void): () => void;
  /** Gives the connection to `node:http`, which has not seen it yet. */
  handOver(socket: Socket): void;
  /** The connection broke. */
  failed(error: Error, socket: Socket): void;
  /** Nothing more comes of this connection here. */
  left(connection: SocketConnection): void;
}

/**
 * Where a connection stands: before its first byte, between requests, within a body whose head is one of the fast path, while an answer is
 * made, or with nothing left to do here.
 */
type Phase = 'fresh' | 'idle' | 'partial' | 'answering' | 'left';

/** A body that comes in more pieces than this is one for `node:http`. */
const MOST_PIECES = 128;

/** For how many looks a connection may be without a byte: a new one, and one that has been used. */
export interface WaitingLimits {
  readonly freshLooks: number;
  readonly idleLooks: number;
}

/** What `node:http` says of a connection on which nothing has come in time. */
function timeout(): Error {
  return Object.assign(new Error('Request timeout'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' });
}

/**
 * A connection whose requests are read here as long as each of them is one of the fast path, in the one form that {@link readSocketHead}
 * understands, and comes alone. With whatever else comes, the connection goes to `node:http` for good, before any byte of it was answered
 * and with all its bytes from the beginning of that request.
 */
export class SocketConnection {
  readonly socket: Socket;
  readonly #serving: SocketServing;
  #phase: Phase = 'fresh';
  /** The request whose body has not come whole: what it is for, its bytes so far, and where in them the body begins and should end. */
  #respond: Responder | undefined;
  #pieces: Buffer[] = [];
  #length = 0;
  #bodyAt = 0;
  #end = 0;
  /** How many looks ago it came to where it stands. */
  #looks = 0;

  constructor(socket: Socket, serving: SocketServing) {
    this.socket = socket;
    this.#serving = serving;
    socket.on('data', this.#take);
    socket.on('end', this.#ended);
    socket.on('error', this.#failed);
    socket.on('close', this.#closed);
  }

  /** Whether it has been used and waits for the next request. */
  get isIdle(): boolean {
    return this.#phase === 'idle';
  }

  /** To be called at even intervals. A body that has not come whole since the call before last is left to the time limits of `node:http`. */
  look({ freshLooks, idleLooks }: WaitingLimits): void {
    this.#looks += 1;
    if (this.#phase === 'fresh' && this.#looks > freshLooks) this.#failed(timeout());
    else if (this.#phase === 'idle' && this.#looks > idleLooks) this.socket.destroy();
    else if (this.#phase === 'partial' && this.#looks > 1) this.#handOver();
  }

  readonly #take = (chunk: Buffer): void => {
    switch (this.#phase) {
      case 'fresh':
      case 'idle':
        break;
      case 'partial':
        this.#continue(chunk);
        return;
      case 'answering':
        // One at a time: the rest waits where it is, and goes to `node:http` after the answer.
        this.#keep(chunk);
        this.socket.pause();
        return;
      case 'left':
        return;
    }
    // Who does not read what was answered is held back by `node:http`.
    const request = this.socket.writableLength > 0 ? undefined : readSocketHead(chunk, this.socket);
    // What comes with more behind it is not taken apart here.
    const respond = request === undefined || chunk.length > request.end ? undefined : this.#serving.find(request.head);
    if (request === undefined || respond === undefined) {
      this.#keep(chunk);
      this.#handOver();
    } else if (chunk.length === request.end) this.#answer(respond, chunk.subarray(request.bodyAt));
    else {
      this.#keep(chunk);
      this.#respond = respond;
      this.#bodyAt = request.bodyAt;
      this.#end = request.end;
      this.#phase = 'partial';
      this.#looks = 0;
    }
  };

  #continue(chunk: Buffer): void {
    this.#keep(chunk);
    if (this.#length > this.#end || this.#pieces.length > MOST_PIECES || this.#respond === undefined) this.#handOver();
    else if (this.#length === this.#end) this.#answer(this.#respond, this.#taken().subarray(this.#bodyAt));
  }

  #answer(respond: Responder, body: Buffer): void {
    const { socket } = this;
    let isLast = this.#serving.isLast();
    const answer = respond(body);
    if (!(answer instanceof Promise)) {
      this.#write(answer, isLast);
      return;
    }
    this.#phase = 'answering';
    const answered = this.#serving.waits(socket, () => {
      isLast = true;
    });
    void answer.then((later) => {
      answered();
      // Nobody reads it any more when the connection broke or the client has ended it.
      if (this.#phase !== 'answering' || !socket.writable) return;
      this.#write(later, isLast);
      if (this.#pieces.length === 0 || isLast) return;
      this.#handOver();
      socket.resume();
    });
  }

  #write(answer: Answer, isLast: boolean): void {
    const { socket } = this;
    writeAnswer(socket, answer, isLast);
    if (socket.writableLength > 0) this.#serving.isBehind(socket);
    this.#phase = isLast ? 'left' : 'idle';
    this.#looks = 0;
    if (isLast) socket.destroySoon();
  }

  /** Leaves the connection to `node:http`, with what came and was not answered. */
  #handOver(): void {
    const { socket } = this;
    const bytes = this.#taken();
    this.#leave();
    this.#serving.handOver(socket);
    if (bytes.length > 0) socket.unshift(bytes);
  }

  readonly #ended = (): void => {
    const { socket } = this;
    if (this.#phase === 'answering') {
      // As `node:http` does: a client that ends its half is not waited for.
      socket.end();
      return;
    }
    if (this.#phase === 'left') return;
    const bytes = this.#taken();
    this.#leave();
    this.#serving.handOver(socket);
    // The stream is at its end and says nothing more, so what it said is said again.
    if (bytes.length > 0) socket.emit('data', bytes);
    socket.emit('end');
  };

  readonly #failed = (error: Error): void => {
    this.#leave();
    this.socket.on('error', () => undefined);
    this.#serving.failed(error, this.socket);
  };

  readonly #closed = (): void => this.#leave();

  #leave(): void {
    const { socket } = this;
    this.#phase = 'left';
    socket.off('data', this.#take);
    socket.off('end', this.#ended);
    socket.off('error', this.#failed);
    socket.off('close', this.#closed);
    this.#serving.left(this);
  }

  #keep(chunk: Buffer): void {
    this.#pieces.push(chunk);
    this.#length += chunk.length;
  }

  /** What was kept, which is not kept any longer. */
  #taken(): Buffer {
    const [first] = this.#pieces;
    const bytes = this.#pieces.length === 1 && first !== undefined ? first : Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#length = 0;
    this.#respond = undefined;
    return bytes;
  }
}
