import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { getRequestListener } from '@hono/node-server';
import { problem } from '@qnsp/kms-contract';
import type { Hono } from 'hono';
import { ConfigurationError } from '../config/configuration-error.ts';
import type { ServiceConfig } from '../config/env.ts';
import type { AppEnv } from './app-env.ts';
import type { HotRoutes } from './hot-routes.ts';

export interface Listening {
  /** Where a client on this machine reaches the service. */
  readonly baseUrl: string;
  /** Takes no new connection, lets running requests end for `shutdownTimeoutMs`, then cuts what is left. */
  stop(): Promise<void>;
}

/** Binds the application to its port. */
export async function listen(app: Hono<AppEnv>, hot: HotRoutes, config: ServiceConfig): Promise<Listening> {
  const listener = getRequestListener(app.fetch);
  let draining = false;
  const server = createServer(
    // A client that is slow with its headers or body holds a connection for no longer than this.
    {
      requestTimeout: config.requestTimeoutMs,
      headersTimeout: Math.min(config.requestTimeoutMs, 10_000),
      keepAliveTimeout: 65_000,
    },
    (request, response) => {
      // A connection that is kept open would bring one request after another, and be cut in the middle of the last one.
      if (draining) response.setHeader('connection', 'close');
      if (!hot(request, response)) void listener(request, response);
    },
  );
  server.on('clientError', (_error, socket) => refuseGarbage(socket));
  await bind(server, config);
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : config.port;
  const host = config.host === '0.0.0.0' || config.host === '::' ? '127.0.0.1' : config.host;
  return {
    baseUrl: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    stop: () => {
      draining = true;
      return drain(server, config.shutdownTimeoutMs);
    },
  };
}

/** What is not HTTP gets the one error shape, too. */
function refuseGarbage(socket: Duplex): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const requestId = randomUUID();
  const failure = { code: 'BAD_REQUEST', message: 'This is not a request that HTTP/1.1 allows.' } as const;
  const body = JSON.stringify(problem(failure, { requestId, timestamp: new Date() }));
  socket.end(
    `HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nx-request-id: ${requestId}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
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

function drain(server: Server, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const cut = setTimeout(() => server.closeAllConnections(), timeoutMs);
    server.close((error) => {
      clearTimeout(cut);
      if (error === undefined) resolve();
      else reject(error);
    });
    server.closeIdleConnections();
  });
}
