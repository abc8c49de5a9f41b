import type { Server } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { type Dialects, type Edge, makeHttpServer } from '@qnsp/http-edge';
import { makeApp } from './app.ts';
import { ConfigurationError } from '../config/configuration-error.ts';
import type { ServiceConfig } from '../config/service-config.ts';

export interface Listening {
  /** Where a client on this machine reaches the service. */
  readonly baseUrl: string;
  /** Ends without losing a request that was sent. */
  stop(): Promise<void>;
}

/** Serves the dialects, and the pages beside them, on the configured port. */
export async function listen(edge: Edge, dialects: Dialects, config: ServiceConfig): Promise<Listening> {
  const listener = getRequestListener(makeApp(edge, dialects).fetch);
  const http = makeHttpServer(edge, dialects, config, (incoming, outgoing) => {
    void listener(incoming, outgoing);
  });
  await bind(http.server, config);
  const address = http.server.address();
  const port = typeof address === 'object' && address !== null ? address.port : config.port;
  const host = config.host === '0.0.0.0' || config.host === '::' ? '127.0.0.1' : config.host;
  return { baseUrl: `http://${host.includes(':') ? `[${host}]` : host}:${port}`, stop: () => http.stop() };
}

function bind(server: Server, { host, port }: ServiceConfig): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'EADDRINUSE' || error.code === 'EACCES' || error.code === 'EADDRNOTAVAIL'
          ? new ConfigurationError([
              { variable: 'PORT', reason: `${host}:${port} cannot be listened on (${error.code})` },
            ])
          : error,
      );
    });
    server.listen(port, host, resolve);
  });
}
