import type { Server } from 'node:http';
import { Server as NetServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** For so long a server that stops goes on serving kept connections, when requests go on coming. */
const FAREWELL_MS = 2000;
/** Without a request for so long, nothing is coming. */
const QUIET_MS = 500;
/** How often those are closed that have become idle. */
const CLOSE_MS = 50;

/** Connections that a server of `node:http` does not know of. */
export interface UnknownConnections {
  /** Closes those that are out of use. */
  closeIdle(): void;
  closeAll(): void;
}

/**
 * Ends a server without losing a request. A gateway keeps connections open and sends the next request into one at any time;
 * when it is closed in that moment, the request may be lost. So no new connection is taken, which sends a gateway elsewhere
 * before it has sent anything, and each kept one goes with its next answer. Only those that are out of use are closed.
 *
 * @param unknown the connections that the server itself does not know of
 */
export async function drain(
  server: Server,
  timeoutMs: number,
  lastRequestAt: () => number,
  unknown: UnknownConnections,
): Promise<void> {
  const ended = new Promise<void>((resolve, reject) => {
    // That of the HTTP server closes the kept connections as well.
    NetServer.prototype.close.call(server, (error) => (error === undefined ? resolve() : reject(error)));
  });
  await Promise.race([ended, quiet(lastRequestAt)]);
  const cut = setTimeout(() => {
    server.closeAllConnections();
    unknown.closeAll();
  }, timeoutMs);
  // A connection whose last request came before all this is out of use when that is answered.
  const closeIdle = () => {
    server.closeIdleConnections();
    unknown.closeIdle();
  };
  const close = setInterval(closeIdle, CLOSE_MS);
  closeIdle();
  try {
    await ended;
  } finally {
    clearTimeout(cut);
    clearInterval(close);
  }
}

/** Waits until requests stop coming. */
async function quiet(lastRequestAt: () => number): Promise<void> {
  const begun = performance.now();
  for (;;) {
    await sleep(QUIET_MS, undefined, { ref: false });
    const now = performance.now();
    if (now - begun >= FAREWELL_MS || now - lastRequestAt() >= QUIET_MS) return;
  }
}
