import type { Server } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { makeHttpServer, type TlsIdentity, type TlsSettings } from '@qnsp/http-edge';
import type { KmsHttp } from '@qnsp/wire-qnsp';
import { makeApp } from './app.ts';
import { ConfigurationError } from '../config/configuration-error.ts';
import type { ServiceConfig } from '../config/service-config.ts';
import { listenOnFile, removeSocketFile } from './socket-file.ts';

export interface Listening {
  /** Where a client on this machine reaches the service. */
  readonly baseUrl: string;
  /** Shows new connections another identity. */
  renew(identity: TlsIdentity): void;
  /** Ends without losing a request that was sent. */
  stop(): Promise<void>;
}

/**
 * Serves the HTTP interface, and the pages beside it, on the configured port and socket file.
 *
 * @param tls how the port speaks TLS; in the clear without it
 */
export async function listen(kmsHttp: KmsHttp, config: ServiceConfig, tls?: TlsSettings): Promise<Listening> {
  const { host, port, listenUnix } = config;
  const listener = getRequestListener(makeApp(kmsHttp).fetch);
  const http = makeHttpServer(kmsHttp.edge, kmsHttp.dialects, { ...config, tls }, (incoming, outgoing) => {
    void listener(incoming, outgoing);
  });
  const beside = listenUnix === undefined ? undefined : http.beside();
  try {
    if (beside !== undefined && listenUnix !== undefined) await listenOnFile(beside, listenUnix);
    if (port !== undefined) await bind(http.server, host, port);
  } catch (error) {
    // Nobody was told of it yet.
    beside?.close();
    throw error;
  }
  const address = http.server.address();
  const bound = typeof address === 'object' && address !== null ? address.port : port;
  const name = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  const authority = `${name.includes(':') ? `[${name}]` : name}:${bound}`;
  const baseUrl = port === undefined ? `unix:${listenUnix}` : `${tls === undefined ? 'http' : 'https'}://${authority}`;
  const stop = async () => {
    await http.stop();
    if (listenUnix !== undefined) await removeSocketFile(listenUnix);
  };
  return { baseUrl, renew: (identity) => http.renew(identity), stop };
}

function bind(server: Server, host: string, port: number): Promise<void> {
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
