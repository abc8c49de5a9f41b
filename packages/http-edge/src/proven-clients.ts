import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/**
 * The connections whose clients have proven themselves by a certificate, with the answers that they wait for: when it changes whose
 * certificates hold, they have to prove themselves again, which takes another connection.
 */
export class ProvenClients {
  readonly #waiting = new Map<Socket, Set<ServerResponse>>();

  met(socket: Socket): void {
    this.#waiting.set(socket, new Set());
    socket.once('close', () => this.#waiting.delete(socket));
  }

  /** A request came that has to be answered before its connection may end. */
  asked({ socket }: { readonly socket: Socket }, response: ServerResponse): void {
    const waiting = this.#waiting.get(socket);
    if (waiting === undefined) return;
    waiting.add(response);
    response.once('close', () => waiting.delete(response));
  }

  /** Ends those that wait for nothing, and the others with their answer. */
  end(): void {
    for (const [socket, waiting] of this.#waiting) {
      const last = [...waiting].at(-1);
      if (last === undefined) socket.destroySoon();
      else if (last.headersSent) last.once('close', () => socket.destroySoon());
      else last.setHeader('connection', 'close');
    }
  }
}
