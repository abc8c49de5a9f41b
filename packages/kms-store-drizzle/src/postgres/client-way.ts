import type { Socket } from 'node:net';
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import type { Sql } from 'postgres';
import { type Address, connectSocket, guarded, type SocketLimits } from './address.ts';
import type { ConnectionOptions } from './connection.ts';
import { SESSION_ATTRIBUTES } from './connection-url.ts';
import { wayOver } from './way-to-server.ts';
import { encrypted, secured } from './tls-socket.ts';

type Way = Pick<ConnectionOptions, 'login' | 'connect' | 'connectTimeoutSeconds'>;

/** What postgres.js made of the options that it was given; its types have not all of it. */
interface ClientOptions {
  readonly host: readonly string[];
  readonly port: readonly number[];
  readonly path: string | false | undefined;
  readonly user: string;
  readonly pass: string | (() => string | Promise<string>);
  readonly database: string;
  readonly ssl: boolean | string | TlsOptions;
  readonly sslnegotiation?: string | null;
  readonly connect_timeout: number | null;
  readonly target_session_attrs: string | null | undefined;
  readonly connection: Readonly<Record<string, unknown>>;
  readonly socket?: (options: unknown) => Socket | Promise<Socket>;
}

/**
 * How a client of postgres.js connects: to the same servers, as the same user, with the same TLS.
 *
 * @param connectTimeoutSeconds default: that of the client
 */
export function wayOfClient(client: Sql, connectTimeoutSeconds?: number): Way {
  // As postgres.js 3.4 has them.
  const options = client.options as unknown as ClientOptions;
  const { path, host, port, connection } = options;
  const addresses: readonly Address[] =
    typeof path === 'string' && path !== ''
      ? [{ path }]
      : host.map((name, index) => ({ host: name, port: port[index] ?? port[0] ?? 5432 }));
  const sessionOptions = connection['options'];
  const login = {
    user: options.user,
    password: options.pass,
    database: options.database,
    options: typeof sessionOptions === 'string' ? sessionOptions : undefined,
  };
  const wanted = options.target_session_attrs ?? 'any';
  return wayOver({
    login,
    addresses,
    targetSessionAttributes: SESSION_ATTRIBUTES.find((known) => known === wanted) ?? 'any',
    connect: (address, limitMs, aborted) => connectAs(options, address, { limitMs, aborted }),
    connectTimeoutSeconds: connectTimeoutSeconds ?? timeoutOf(options),
  });
}

function timeoutOf({ connect_timeout: seconds }: ClientOptions): number {
  return seconds !== null && seconds > 0 ? seconds : 30;
}

function connectAs(options: ClientOptions, address: Address, limits: SocketLimits): Promise<Socket> {
  const prepare = (socket: Socket) => protectedAs(options, socket, address);
  const { socket: connectItself } = options;
  if (connectItself === undefined) return connectSocket(address, limits, prepare);
  return guarded(address, limits, async (guard) => {
    const socket = await connectItself(options);
    guard(socket);
    return prepare(socket);
  });
}

/** As postgres.js does it. */
async function protectedAs({ ssl, sslnegotiation }: ClientOptions, socket: Socket, address: Address): Promise<Socket> {
  if (ssl === false || ssl === undefined || ssl === null) return socket;
  const verifies = ssl !== 'require' && ssl !== 'allow' && ssl !== 'prefer';
  const tls: TlsOptions = {
    ...(verifies ? {} : { rejectUnauthorized: false }),
    ...(typeof ssl === 'object' ? ssl : {}),
  };
  if (sslnegotiation === 'direct') return encrypted(socket, address, { ...tls, ALPNProtocols: ['postgresql'] });
  return secured(socket, address, tls, ssl === 'prefer' ? 'if offered' : 'always');
}
