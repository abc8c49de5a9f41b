import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { KmsError } from '@qnsp/kms-core';
import { awaitsGoAhead } from './body.ts';
import { refusedCertificate } from './client-certificate.ts';
import { ConnectionBounds } from './connection-bounds.ts';
import type { Dialect } from './dialect.ts';
import { dialectOf, type Dialects, lastOf, onlyDialectOf } from './dialects.ts';
import { drain, type UnknownConnections } from './drain.ts';
import type { Edge } from './edge.ts';
import type { EdgeLogs } from './edge-logs.ts';
import { refusalOf, refuseGarbage, refuseRequest, type Spoken } from './refusals.ts';
import type { RequestHead } from './request-head.ts';
import { fastResponder, type GeneralPath, generalPath, takeFastPath } from './serve-request.ts';
import { KEEP_ALIVE_MS } from './socket-answer.ts';
import { type SocketDecisions, SocketFront } from './socket-front.ts';
import { type HttpOptions, makeTlsServer, type TlsServer } from './tls-server.ts';
import type { TlsIdentity, TlsSettings } from './tls-settings.ts';

/** What one port takes from its clients. */
export interface HttpLimits {
  /** How long a request may take to arrive, and an answer to be read. */
  readonly requestTimeoutMs: number;
  readonly headersTimeoutMs: number;
  readonly maxConnections: number;
  /** How many bytes of answers may wait for their clients, all together. */
  readonly maxAnswerBytes: number;
  /** How long a server that stops goes on as if it did not. */
  readonly drainDelayMs: number;
  /** How long running requests may take to end after that. */
  readonly shutdownTimeoutMs: number;
  /** How it speaks TLS; without it HTTP in the clear. */
  readonly tls?: TlsSettings | undefined;
  /** Whether plain requests of the fast paths are read from their connections directly; default: all are read by `node:http`. */
  readonly socketFastPath?: boolean | undefined;
}

/** The HTTP servers of a process, not bound yet. */
export interface HttpServer {
  /** To be bound to a port. */
  readonly server: Server;
  /**
   * Makes another server for the same dialects, in the clear, to be bound to a socket file. Unread answers are bounded for both
   * together, and both are stopped together; each takes as many connections as it may.
   */
  beside(): Server;
  /**
   * Shows another identity to the connections that are made from now on. Does nothing without TLS.
   *
   * @throws Error of OpenSSL, and stays as it is, where the parts do not fit together
   */
  renew(identity: TlsIdentity): void;
  /**
   * Goes on for `drainDelayMs`, in which who asks for readiness sends its requests elsewhere. Then takes no new connection, and
   * says with each answer that its own ends. When nothing comes any more, or after a few seconds, closes those without a request,
   * lets running requests end for `shutdownTimeoutMs`, and cuts what is left.
   */
  stop(): Promise<void>;
}

/** Time limits are kept to within so much of them, or {@link CHECK_MS}. */
const CHECK_SHARE = 0.05;
const CHECK_MS = 1000;

/**
 * A server for the dialects of one port.
 *
 * @param general what serves requests on the general path, where more than the dialects is to be served
 */
export function makeHttpServer(
  edge: Edge,
  dialects: Dialects,
  limits: HttpLimits,
  general: GeneralPath = generalPath(edge, dialects),
): HttpServer {
  let draining = false;
  let lastRequestAt = -Infinity;
  const spoken = new SpokenDialects(dialects);
  const bounds = new ConnectionBounds(
    { readTimeoutMs: limits.requestTimeoutMs, bufferedBytes: limits.maxAnswerBytes },
    (closed) => edge.logs.log.warn(closed, 'connection closed'),
  );
  /** Takes note of a request. A connection that is kept open would bring one after another, and be cut in the middle of the last one. */
  const isLast = (): boolean => {
    if (draining) lastRequestAt = performance.now();
    return draining;
  };
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    if (isLast()) response.setHeader('connection', 'close');
    if (response.socket === null) bounds.queue(request, response);
    const dialect = spoken.only ?? spoken.of(request);
    if (secure?.asksClients === true && refusesClient(secure, dialect, request, response)) return;
    if (takeFastPath(edge, dialect, request, response)) return;
    const refusal = refusalOf(request);
    if (refusal === undefined) general(request, response);
    else refuseRequest(edge, dialect, request, response, refusal);
  };
  /** Refuses a client whose certificate does not hold, whatever else it presents. */
  const refusesClient = (
    tlsServer: TlsServer,
    dialect: Dialect,
    request: IncomingMessage,
    response: ServerResponse,
  ): boolean => {
    const answered = tlsServer.asked(request.socket, () => {
      if (response.headersSent) response.once('close', () => request.socket.destroySoon());
      else response.setHeader('connection', 'close');
    });
    response.once('close', answered);
    const reason = refusedCertificate(request.socket);
    if (reason === undefined) return false;
    const error = new KmsError('UNAUTHORIZED', `The client certificate is not accepted (${reason}).`);
    refuseRequest(edge, dialect, request, response, error);
    return true;
  };
  const checkMs = Math.min(CHECK_MS, Math.ceil(limits.headersTimeoutMs * CHECK_SHARE));
  const options: HttpOptions = {
    // A client that is slow with its headers or body holds a connection for no longer than this.
    requestTimeout: limits.requestTimeoutMs,
    headersTimeout: limits.headersTimeoutMs,
    connectionsCheckingInterval: checkMs,
    keepAliveTimeout: KEEP_ALIVE_MS,
    // Refused here, in the shape of the dialect.
    requireHostHeader: false,
    ServerResponse: bounds.responses(),
  };
  const fronts: SocketFront[] = [];
  const decisions: SocketDecisions = {
    find: (head) => fastResponder(edge, spoken.only ?? spoken.of(head), head),
    isLast,
    isBehind: (socket) => bounds.isBehind(socket),
    waits: (socket, endsWithAnswer) => (secure ? secure.asked(socket, endsWithAnswer) : () => undefined),
  };
  const refused = new WeakSet<Duplex>();
  /** Refuses what is no request after the answers to those that came together with it and that nothing has to be waited for. */
  const refuseSoon = (error: Error, socket: Duplex): void => {
    if (refused.has(socket)) return;
    refused.add(socket);
    setImmediate(() => refuseGarbage(edge, spoken.on(socket), error, socket));
  };
  const prepare = (server: Server, met: 'connection' | 'secureConnection'): Server => {
    server.maxConnections = limits.maxConnections;
    server.on(met, (socket: Socket) => bounds.watch(socket));
    if (limits.socketFastPath === true) {
      const takes = (socket: Socket) => refusedCertificate(socket) === undefined;
      // A body may be here for two looks before its time begins to run there.
      const lookMs = Math.ceil(checkMs / 2);
      fronts.push(new SocketFront(server, met, decisions, takes, limits.headersTimeoutMs, lookMs));
    }
    server.on('drop', countDropped(edge.logs));
    // What a client asks before it sends its body is answered when the body is read, or by the refusal.
    server.on('checkContinue', (request, response) => {
      awaitsGoAhead(request, () => response.writeContinue());
      serve(request, response);
    });
    server.on('checkExpectation', (request, response) => {
      const error = new KmsError('BAD_REQUEST', 'Nothing but 100-continue can be expected.');
      refuseRequest(edge, spoken.of(request), request, response, error);
    });
    server.on('connect', (_request, socket) => {
      // Node has let go of it: without a listener, a client that is gone would end the process.
      socket.on('error', () => socket.destroy());
      refuseSoon(new Error('CONNECT'), socket);
    });
    server.on('clientError', refuseSoon);
    return server;
  };
  const { tls } = limits;
  const secure = tls && makeTlsServer(tls, options, serve, countFailed(edge.logs));
  const server = secure
    ? prepare(secure.server, 'secureConnection')
    : prepare(createServer(options, serve), 'connection');
  const servers = [server];
  return {
    server,
    beside: () => {
      const another = prepare(createServer(options, serve), 'connection');
      servers.push(another);
      return another;
    },
    renew: (identity) => secure?.renew(identity),
    stop: async () => {
      await sleep(limits.drainDelayMs);
      // What waits to be taken when the listener closes is cut off: this comes right after a look for it.
      await nextTurn();
      draining = true;
      const listening = servers.filter((each) => each.listening);
      const unknown: UnknownConnections = {
        closeIdle: () => {
          secure?.cutHandshakes();
          for (const front of fronts) front.closeIdle();
        },
        closeAll: () => {
          for (const front of fronts) front.closeAll();
        },
      };
      await Promise.all(listening.map((each) => drain(each, limits.shutdownTimeoutMs, () => lastRequestAt, unknown)));
      for (const front of fronts) front.stop();
      bounds.stop();
    },
  };
}

/** Which dialect each connection speaks: the only one, or that of the request before. */
class SpokenDialects {
  readonly only: Dialect | undefined;
  readonly #dialects: Dialects;
  readonly #last = new WeakMap<Duplex, Dialect>();

  constructor(dialects: Dialects) {
    this.#dialects = dialects;
    this.only = onlyDialectOf(dialects);
  }

  of(request: RequestHead): Dialect {
    if (this.only !== undefined) return this.only;
    const dialect = dialectOf(this.#dialects, request);
    this.#last.set(request.socket, dialect);
    return dialect;
  }

  on(socket: Duplex): Spoken {
    const dialect = this.only ?? this.#last.get(socket);
    return dialect === undefined ? { dialect: lastOf(this.#dialects), isGuess: true } : { dialect, isGuess: false };
  }
}

/** Says now and then how many connections were refused because there are as many as there may be. */
function countDropped({ log }: EdgeLogs): () => void {
  return gathered((dropped) =>
    log.warn({ dropped }, 'connections refused: there are as many as KMS_MAX_CONNECTIONS allows'),
  );
}

/** Says now and then how many clients the service could not agree with on TLS, and why it failed for the last of them. */
function countFailed({ log }: EdgeLogs): (reason: string, address: string | undefined) => void {
  let last: { readonly reason: string; readonly address: string | undefined } | undefined;
  const count = gathered((failed) => log.warn({ failed, ...last }, 'TLS connections failed'));
  return (reason, address) => {
    last = { reason, address };
    count();
  };
}

/** Counts, and reports the number a while after the first. */
function gathered(report: (count: number) => void): () => void {
  let count = 0;
  let timer: NodeJS.Timeout | undefined;
  return () => {
    count += 1;
    timer ??= setTimeout(() => {
      report(count);
      count = 0;
      timer = undefined;
    }, CHECK_MS).unref();
  };
}
