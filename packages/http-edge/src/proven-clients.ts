import type { Socket } from 'node:net';

/**
 * The connections whose clients have proven themselves by a certificate, with what ends each together with an answer that it waits for: when it changes whose
 * certificates hold, they have to prove themselves again, which takes another connection.
 */
export class ProvenClients {
  readonly #waiting = new Map<Socket, Set<() => void>>();

  met(socket: Socket): void {
    this.#waiting.set(socket, new Set());
    socket.once('close', () => this.#waiting.delete(socket));
  }

  /**
   * A request came that has to be answered before its connection may end.
   *
   * @param endsWithAnswer has the connection end with the answer
   * @returns to be told when it is answered
   */
  asked(socket: Socket, endsWithAnswer: () => void): () => void {
    const waiting = this.#waiting.get(socket);
    waiting?.add(endsWithAnswer);
    return () => waiting?.delete(endsWithAnswer);
  }

  /** Ends those that wait for nothing, and the others with their answer. */
  end(): void {
    for (const [socket, waiting] of this.#waiting) {
      const last = [...waiting].at(-1);
      if (last === undefined) socket.destroySoon();
      else last();
    }
  }
}
