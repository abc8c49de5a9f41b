import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Server as NetServer } from 'node:net';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { getRequestListener } from '@hono/node-server';
import { awaitsGoAhead } from '@qnsp/http-edge';
import { KmsError } from '@qnsp/kms-core';
import type { HotRoutes } from '@qnsp/wire-qnsp';
import type { Hono } from 'hono';
import { ConfigurationError } from '../config/configuration-error.ts';
import type { ServiceConfig } from '../config/service-config.ts';
import type { AppEnv } from './app-env.ts';
import { ConnectionBounds } from './connection-bounds.ts';
import type { Logs } from './logger.ts';
import { refusalOf, refuseGarbage, refuseRequest } from './refusals.ts';

/** For this long a stopping server continues to serve kept-alive connections, as long as requests keep coming. */
const FAREWELL_MS = 2000;
/** Without a request for so long, nothing is coming. */
const QUIET_MS = 500;

/** How often those are closed that have become idle. */
const CLOSE_MS = 50;

export interface Listening {
  /** Where a client on this machine reaches the service. */
  readonly baseUrl: string;
  /**
   * Continues for `drainDelayMs`, in which whatever polls readiness sends its requests elsewhere. Then accepts no new
   * connection, and says with each answer that its own is closing. When nothing more arrives, or {@link FAREWELL_MS}
   * are over, closes those without a request, lets running requests end for `shutdownTimeoutMs`, and cuts what is left.
   */
  stop(): Promise<void>;
}

/** Time limits are kept to within so much of them, or {@link CHECK_MS}. */
const CHECK_SHARE = 0.05;
const CHECK_MS = 1000;

/** Binds the application to its port. */
export async function listen(app: Hono<AppEnv>, hot: HotRoutes, config: ServiceConfig, logs: Logs): Promise<Listening> {
  const listener = getRequestListener(app.fetch);
  let draining = false;
  let lastRequestAt = -Infinity;
  const bounds = new ConnectionBounds(
    { readTimeoutMs: config.requestTimeoutMs, bufferedBytes: config.maxAnswerBytes },
    (closed) => logs.log.warn(closed, 'connection closed'),
  );
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    // A connection that is kept open would bring one request after another, and be cut in the middle of the last one.
    if (draining) {
      lastRequestAt = performance.now();
      response.setHeader('connection', 'close');
    }
    if (response.socket === null && !bounds.admitQueued(request, response)) return;
    if (hot(request, response)) return;
    const refusal = refusalOf(request);
    if (refusal === undefined) void listener(request, response);
    else refuseRequest(logs, request, response, refusal);
  };
  const server = createServer(
    // A client that is slow with its headers or body holds a connection for no longer than this.
    {
      requestTimeout: config.requestTimeoutMs,
      headersTimeout: config.headersTimeoutMs,
      connectionsCheckingInterval: Math.min(CHECK_MS, Math.ceil(config.headersTimeoutMs * CHECK_SHARE)),
      keepAliveTimeout: 65_000,
      // Refused here, in the one shape.
      requireHostHeader: false,
      ServerResponse: bounds.responses(),
    },
    serve,
  );
  server.maxConnections = config.maxConnections;
  server.on('connection', (socket) => bounds.watch(socket));
  server.on('drop', countDropped(logs));
  // What a client asks before it sends its body is answered when the body is read, or by the refusal.
  server.on('checkContinue', (request, response) => {
    awaitsGoAhead(request, () => response.writeContinue());
    serve(request, response);
  });
  server.on('checkExpectation', (request, response) => {
    refuseRequest(logs, request, response, new KmsError('BAD_REQUEST', 'Nothing but 100-continue can be expected.'));
  });
  server.on('connect', (_request, socket) => refuseGarbage(logs, new Error('CONNECT'), socket));
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => refuseGarbage(logs, error, socket));
  await bind(server, config);
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : config.port;
  const host = config.host === '0.0.0.0' || config.host === '::' ? '127.0.0.1' : config.host;
  return {
    baseUrl: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    stop: async () => {
      await sleep(config.drainDelayMs);
      // What waits to be taken when the listener closes is cut off: this comes right after a look for it.
      await setImmediate();
      draining = true;
      await drain(server, config.shutdownTimeoutMs, () => lastRequestAt);
      bounds.stop();
    },
  };
}

/** Says now and then how many connections were refused because there are as many as there may be. */
function countDropped({ log }: Logs): () => void {
  let dropped = 0;
  let timer: NodeJS.Timeout | undefined;
  return () => {
    dropped += 1;
    timer ??= setTimeout(() => {
      log.warn({ dropped }, 'connections refused: there are as many as KMS_MAX_CONNECTIONS allows');
      dropped = 0;
      timer = undefined;
    }, CHECK_MS).unref();
  };
}

function bind(server: Server, { host, port }: ServiceConfig): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'EADDRINUSE' || error.code === 'EACCES' || error.code === 'EADDRNOTAVAIL'
          ? new ConfigurationError([{ variable: 'PORT', reason: `cannot listen on ${host}:${port} (${error.code})` }])
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
  // A connection whose last request came before all this is idle once that is answered.
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
