import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { Server as NetServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { getRequestListener } from '@hono/node-server';
import { problem } from '@qnsp/kms-contract';
import type { Hono } from 'hono';
import { ConfigurationError } from '../config/configuration-error.ts';
import type { ServiceConfig } from '../config/env.ts';
import type { AppEnv } from './app-env.ts';
import type { HotRoutes } from './hot-routes.ts';

/** For so long a server that stops goes on serving kept connections, when requests go on coming. */
const FAREWELL_MS = 2000;
/** Without a request for so long, nothing is coming. */
const QUIET_MS = 500;

/** How often those are closed that have become idle. */
const CLOSE_MS = 50;

export interface Listening {
  /** Where a client on this machine reaches the service. */
  readonly baseUrl: string;
  /**
   * Takes no new connection, and says with each answer that its own ends. When nothing comes any more, or {@link FAREWELL_MS}
   * are over, closes those without a request, lets running requests end for `shutdownTimeoutMs`, and cuts what is left.
   */
  stop(): Promise<void>;
}

/** Binds the application to its port. */
export async function listen(app: Hono<AppEnv>, hot: HotRoutes, config: ServiceConfig): Promise<Listening> {
  const listener = getRequestListener(app.fetch);
  let draining = false;
  let lastRequestAt = -Infinity;
  const server = createServer(
    // A client that is slow with its headers or body holds a connection for no longer than this.
    {
      requestTimeout: config.requestTimeoutMs,
      headersTimeout: Math.min(config.requestTimeoutMs, 10_000),
      keepAliveTimeout: 65_000,
    },
    (request, response) => {
      // A connection that is kept open would bring one request after another, and be cut in the middle of the last one.
      if (draining) {
        lastRequestAt = performance.now();
        response.setHeader('connection', 'close');
      }
      if (!hot(request, response)) void listener(request, response);
    },
  );
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => refuseGarbage(error, socket));
  await bind(server, config);
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : config.port;
  const host = config.host === '0.0.0.0' || config.host === '::' ? '127.0.0.1' : config.host;
  return {
    baseUrl: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    stop: () => {
      draining = true;
      return drain(server, config.shutdownTimeoutMs, () => lastRequestAt);
    },
  };
}

/** What is not HTTP, or took too long to become it, gets the one error shape, too, and its connection ends. */
function refuseGarbage(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const requestId = randomUUID();
  const isLate = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  const message = isLate ? 'The request took too long to arrive.' : 'This is not a request that HTTP/1.1 allows.';
  const failure = { code: 'BAD_REQUEST', message } as const;
  const body = JSON.stringify(problem(failure, { requestId, timestamp: new Date() }));
  socket.end(
    `HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nx-request-id: ${requestId}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    // Node leaves the connection to this listener, and a client need not close its own half.
    () => socket.destroy(),
  );
}

function bind(server: Server, { host, port }: ServiceConfig): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'EADDRINUSE' || error.code === 'EACCES' || error.code === 'EADDRNOTAVAIL'
          ? new ConfigurationError([
              { variable: 'PORT', reason: `${host}:${port} can not be listened on (${error.code})` },
            ])
          : error,
      );
    });
    server.listen(port, host, resolve);
  });
}

/**
 * Ends a server without losing a request. A gateway keeps connections open and sends the next request into one at any time;
 * when it is closed in that moment, the request may be lost. So no new connection is taken, which sends a gateway elsewhere
 * before it has sent anything, and each kept one goes with its next answer. Only those that are out of use are closed.
 */
async function drain(server: Server, timeoutMs: number, lastRequestAt: () => number): Promise<void> {
  const ended = new Promise<void>((resolve, reject) => {
    // That of the HTTP server closes the kept connections as well.
    NetServer.prototype.close.call(server, (error) => (error === undefined ? resolve() : reject(error)));
  });
  await Promise.race([ended, quiet(lastRequestAt)]);
  const cut = setTimeout(() => server.closeAllConnections(), timeoutMs);
  // A connection whose last request came before all this is out of use when that is answered.
  const close = setInterval(() => server.closeIdleConnections(), CLOSE_MS);
  server.closeIdleConnections();
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
