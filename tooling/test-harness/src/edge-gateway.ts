import { fileURLToPath } from 'node:url';
import { freePort } from './free-port.ts';
import { type NginxServer, startNginx } from './nginx-server.ts';

const DIRECTORY = fileURLToPath(new URL('../../../deploy/edge-gateway/', import.meta.url));

export interface EdgeGateway {
  readonly baseUrl: string;
  readonly server: NginxServer;
}

/**
 * The replicas as the documents name them, each twice: one that failed is skipped for a while, and when all of them
 * have, as while they restart one right after the other, each is tried all the same.
 */
function upstreamServers(addresses: readonly string[]): string {
  return [
    ...addresses.map((address) => `server ${address} max_fails=1 fail_timeout=5s;`),
    ...addresses.map((address) => `server ${address} max_fails=0 backup;`),
  ].join(' ');
}

export interface EdgeGatewayOptions {
  /** The ports of the replicas behind it. */
  readonly upstreams: readonly number[];
  readonly credential?: string;
  /** PEM files, for a gateway that speaks TLS. */
  readonly tls?: { readonly certificate: string; readonly key: string };
}

/** Starts the edge gateway as `deploy/edge-gateway` describes it. */
export async function startEdgeGateway({ upstreams, credential = '', tls }: EdgeGatewayOptions): Promise<EdgeGateway> {
  const port = await freePort();
  const server = await startNginx({
    configuration: `${DIRECTORY}nginx.conf`,
    templates: [`${DIRECTORY}templates`, ...(tls === undefined ? [] : [`${DIRECTORY}tls`])],
    variables: {
      EDGE_LISTEN: `127.0.0.1:${port}${tls === undefined ? '' : ' ssl'}`,
      EDGE_UPSTREAM_SERVERS: upstreamServers(upstreams.map((upstream) => `127.0.0.1:${upstream}`)),
      EDGE_ACCESS_LOG: 'access.log',
      EDGE_GATEWAY_CREDENTIAL: credential,
      ...(tls === undefined ? {} : { EDGE_TLS_CERTIFICATE: tls.certificate, EDGE_TLS_CERTIFICATE_KEY: tls.key }),
    },
    port,
  });
  return { baseUrl: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`, server };
}
