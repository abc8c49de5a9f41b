import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { SocketConnection, type SocketServing } from './socket-connection.ts';

/** What the servers of a process decide about the connections that are read here. */
export type SocketDecisions = Omit<SocketServing, 'handOver' | 'failed' | 'left'>;

/** The connections of a server that are read here, and not by `node:http` yet. */
export class SocketFront {
  readonly #connections = new Set<SocketConnection>();
  readonly #timer: NodeJS.Timeout;

  /**
   * Puts itself before `node:http`: what came to its listener comes here first.
   *
   * @param met the event with which a connection comes that can be read
   * @param takes whether anything of a connection may be read here
   * @param headersTimeoutMs for how long a new connection may be without a byte
   * @param lookMs how often to look for what does not go on
   */
  constructor(
    server: Server,
    met: 'connection' | 'secureConnection',
    decisions: SocketDecisions,
    takes: (socket: Socket) => boolean,
    headersTimeoutMs: number,
    lookMs: number,
  ) {
    // The first one is that of `node:http`: documented to take any stream that HTTP is to be spoken on.
    const [speakHttp] = server.listeners(met) as ((this: Server, socket: Socket) => void)[];
    if (speakHttp === undefined) throw new Error(`Nobody listens for ${met}.`);
    server.off(met, speakHttp);
    const serving: SocketServing = {
      ...decisions,
      handOver: (socket) => speakHttp.call(server, socket),
      failed: (error, socket) => server.emit('clientError', error, socket),
      left: (connection) => this.#connections.delete(connection),
    };
    server.on(met, (socket: Socket) => {
      if (takes(socket)) this.#connections.add(new SocketConnection(socket, serving));
      else speakHttp.call(server, socket);
    });
    const limits = {
      freshLooks: Math.ceil(headersTimeoutMs / lookMs),
      idleLooks: Math.ceil((server.keepAliveTimeout + server.keepAliveTimeoutBuffer) / lookMs),
    };
    this.#timer = setInterval(() => {
      for (const connection of this.#connections) connection.look(limits);
    }, lookMs).unref();
  }

  /** Closes those that were used and wait for another request. */
  closeIdle(): void {
    for (const connection of this.#connections) if (connection.isIdle) connection.socket.destroySoon();
  }

  closeAll(): void {
    for (const { socket } of this.#connections) socket.destroy();
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
