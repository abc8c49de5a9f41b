import { type Address, connectSocket } from './address.ts';
import { Connection, type ConnectionOptions } from './connection.ts';
import { parseConnectionUrl } from './connection-url.ts';
import type { PostgresStoreOptions } from './options.ts';
import { ServerChoice, type ServerChoiceOptions, type ServerState } from './server-choice.ts';
import { secured, tlsOptions } from './tls-socket.ts';

const CONNECT_TIMEOUT_SECONDS = 5;

type Way = Pick<ConnectionOptions, 'login' | 'connect' | 'connectTimeoutSeconds'>;

/** How connections to a URL are made: where to, over TLS or not, and as whom. */
export function wayTo(
  url: string,
  { ssl, caPem, connectTimeoutSeconds }: Pick<PostgresStoreOptions, 'ssl' | 'caPem' | 'connectTimeoutSeconds'>,
): Way {
  const { addresses, targetSessionAttributes, ...login } = parseConnectionUrl(url);
  return wayOver({
    login,
    addresses,
    targetSessionAttributes,
    // As libpq: what stays on the machine is not encrypted.
    connect: (address, limitMs, aborted) =>
      ssl === 'disable' || 'path' in address
        ? connectSocket(address, { limitMs, aborted })
        : connectSocket(address, { limitMs, aborted }, (socket) =>
            secured(socket, address, tlsOptions({ ssl, caPem })),
          ),
    connectTimeoutSeconds: login.connectTimeoutSeconds ?? connectTimeoutSeconds ?? CONNECT_TIMEOUT_SECONDS,
  });
}

/** How connections to the right one of several servers are made. */
export function wayOver({
  login,
  connectTimeoutSeconds,
  ...servers
}: Pick<Way, 'login' | 'connectTimeoutSeconds'> & Omit<ServerChoiceOptions, 'probe'>): Way {
  const probe = (address: Address): Promise<ServerState> =>
    askState({
      login,
      connect: (limitMs, aborted) => servers.connect(address, limitMs, aborted),
      connectTimeoutSeconds,
    });
  const choice = new ServerChoice({ ...servers, probe });
  return { login, connect: (limitMs, aborted) => choice.connect(limitMs, aborted), connectTimeoutSeconds };
}

async function askState(way: Way): Promise<ServerState> {
  const connection = new Connection({ ...way, name: 'qnsp-kms', pooled: true, serverTimeoutMs: 0 });
  try {
    const [row] = await connection.simple(
      `select pg_is_in_recovery()::text as standby, current_setting('transaction_read_only') as "readOnly"`,
    );
    return { isStandby: row?.['standby'] === 'true', isReadOnly: row?.['readOnly'] === 'on' };
  } finally {
    await connection.end();
  }
}
