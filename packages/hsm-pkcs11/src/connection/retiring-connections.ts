import { setTimeout as sleep } from 'node:timers/promises';
import type { ChildConnection } from './child-connection.ts';

const LOOK_EACH_MS = 100;

/** Processes that get no more calls, and end with the last of those that they have. */
export class RetiringConnections {
  readonly #connections = new Set<ChildConnection>();

  /** @param limitMs what hangs for this long is ended */
  add(connection: ChildConnection, limitMs: number): void {
    this.#connections.add(connection);
    void this.#retire(connection, performance.now() + limitMs);
  }

  kill(reason: Error): void {
    for (const connection of this.#connections) connection.kill(reason);
  }

  async #retire(connection: ChildConnection, end: number): Promise<void> {
    while (connection.isBusy && performance.now() < end) await sleep(LOOK_EACH_MS, undefined, { ref: false });
    await connection.close();
    this.#connections.delete(connection);
  }
}
