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
  /** The replicas behind it: their ports, or their socket files. */
  readonly upstreams: readonly (number | { readonly socketFile: string })[];
  /** The authority, as a PEM file, and the name of replicas that speak TLS. */
  readonly upstreamTls?: { readonly ca: string; readonly name: string };
  readonly credential?: string;
  /** PEM files, for a gateway that speaks TLS. */
  readonly tls?: { readonly certificate: string; readonly key: string };
}

/** Starts the edge gateway as `deploy/edge-gateway` describes it. */
export async function startEdgeGateway(options: EdgeGatewayOptions): Promise<EdgeGateway> {
  const { upstreams, credential = '', tls, upstreamTls } = options;
  const port = await freePort();
  const server = await startNginx({
    configuration: `${DIRECTORY}nginx.conf`,
    templates: [
      `${DIRECTORY}templates`,
      ...(tls === undefined ? [] : [`${DIRECTORY}tls`]),
      ...(upstreamTls === undefined ? [] : [`${DIRECTORY}upstream-tls`]),
    ],
    variables: {
      EDGE_LISTEN: `127.0.0.1:${port}${tls === undefined ? '' : ' ssl'}`,
      EDGE_UPSTREAM_SERVERS: upstreamServers(
        upstreams.map((upstream) =>
          typeof upstream === 'number' ? `127.0.0.1:${upstream}` : `unix:${upstream.socketFile}`,
        ),
      ),
      EDGE_ACCESS_LOG: 'access.log',
      EDGE_GATEWAY_CREDENTIAL: credential,
      ...(upstreamTls === undefined ? {} : { EDGE_UPSTREAM_CA: upstreamTls.ca, EDGE_UPSTREAM_NAME: upstreamTls.name }),
      ...(tls === undefined ? {} : { EDGE_TLS_CERTIFICATE: tls.certificate, EDGE_TLS_CERTIFICATE_KEY: tls.key }),
    },
    port,
  });
  return { baseUrl: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`, server };
}
