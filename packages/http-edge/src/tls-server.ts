import { randomBytes } from 'node:crypto';
import type { IncomingMessage, Server, ServerOptions, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { certificateOf, meetClient } from './client-certificate.ts';
import { ProvenClients } from './proven-clients.ts';
import { SESSION_SECONDS, secureContextOptions, type TlsIdentity, type TlsSettings } from './tls-settings.ts';

const TICKET_KEY_BYTES = 48;
const PLAIN_REFUSAL = 'This port speaks TLS: use https.\n';
const PLAIN_ANSWER = `HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: ${PLAIN_REFUSAL.length}\r\nconnection: close\r\n\r\n${PLAIN_REFUSAL}`;

/** What a server of HTTP is told about its connections. */
export type HttpOptions = ServerOptions<typeof IncomingMessage, typeof ServerResponse<IncomingMessage>>;

/** A server under TLS, and what only TLS needs. */
export interface TlsServer {
  readonly server: Server;
  /** Whether clients are asked for certificates. */
  readonly asksClients: boolean;
  /**
   * Shows new connections another identity; those that are there stay, except for clients that have to prove themselves again.
   * Throws, and changes nothing, where the parts do not fit together.
   */
  renew(identity: TlsIdentity): void;
  /**
   * To be told of each request where clients are asked for certificates.
   *
   * @param endsWithAnswer has the connection end with the answer
   * @returns to be told when it is answered
   */
  asked(socket: Socket, endsWithAnswer: () => void): () => void;
  /** Cuts those that have not agreed on a key yet. */
  cutHandshakes(): void;
}

/**
 * A server that speaks HTTP/1.1 under TLS. A handshake takes no longer than the headers of a request may. A client that sends HTTP in
 * the clear is told so.
 *
 * @param failed hears why a client could not agree with the server, or is not who it says
 */
export function makeTlsServer(
  settings: TlsSettings,
  options: HttpOptions,
  serve: (request: IncomingMessage, response: ServerResponse) => void,
  failed: (reason: string, address: string | undefined) => void,
): TlsServer {
  let { identity } = settings;
  const handshakes = new Map<string, Socket>();
  const proven = new ProvenClients();
  const asksClients = identity.clientAuthorities !== undefined;
  const server = createServer(
    {
      ...options,
      ...secureContextOptions(settings),
      ALPNProtocols: ['http/1.1'],
      ...(options.headersTimeout === undefined ? {} : { handshakeTimeout: options.headersTimeout }),
      // A client may have none; what it has is judged when it is met.
      requestCert: asksClients,
      rejectUnauthorized: false,
    },
    serve,
  );
  // Node's own takes a failed handshake for a bad request, to be answered where nobody agreed on a key.
  server.removeAllListeners('tlsClientError');
  server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
    const raw = handshakes.get(nameOf(socket));
    if (error.code === 'ERR_SSL_HTTP_REQUEST') raw?.end(PLAIN_ANSWER);
    else socket.destroy();
    // One that goes away without a word is a probe of a load balancer, or a client that thought better of it.
    if (error.code !== 'ECONNRESET') failed(error.code ?? error.message, raw?.remoteAddress);
  });
  server.on('connection', (socket: Socket) => {
    const name = nameOf(socket);
    handshakes.set(name, socket);
    socket.once('close', () => handshakes.delete(name));
  });
  server.on('secureConnection', (socket: TLSSocket) => {
    handshakes.delete(nameOf(socket));
    if (!asksClients) return;
    meetClient(socket, failed);
    if (certificateOf(socket) !== undefined) proven.met(socket);
  });
  const changeTickets = () => server.setTicketKeys(randomBytes(TICKET_KEY_BYTES));
  const cutHandshakes = () => {
    for (const socket of handshakes.values()) socket.destroy();
  };
  // The key of a ticket opens what was said under it in TLS 1.2, so keys do not last.
  const timer = setInterval(changeTickets, SESSION_SECONDS * 1000).unref();
  server.once('close', () => clearInterval(timer));
  return {
    server,
    asksClients,
    renew: (next) => {
      server.setSecureContext(secureContextOptions({ ...settings, identity: next }));
      changeTickets();
      const { clientAuthorities, revocations } = identity;
      identity = next;
      if (clientAuthorities === next.clientAuthorities && revocations === next.revocations) return;
      proven.end();
      // A handshake that has begun ends by the lists of before, and nobody would judge its certificate again.
      cutHandshakes();
    },
    asked: (socket, endsWithAnswer) => proven.asked(socket, endsWithAnswer),
    cutHandshakes,
  };
}

/** The end of a connection at its client: the same below TLS and above. */
function nameOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
