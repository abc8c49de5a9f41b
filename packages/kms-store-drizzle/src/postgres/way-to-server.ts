import { type Address, connectSocket } from './address.ts';
import { Connection, type ConnectionOptions } from './connection.ts';
import { parseConnectionUrl } from './connection-url.ts';
import type { PostgresStoreOptions } from './options.ts';
import { ServerChoice, type ServerState } from './server-choice.ts';
import { secured } from './tls-socket.ts';

const CONNECT_TIMEOUT_SECONDS = 5;

/** How connections to a URL are made: where to, over TLS or not, and as whom. */
export function wayTo(
  url: string,
  { ssl, caPem, connectTimeoutSeconds }: Pick<PostgresStoreOptions, 'ssl' | 'caPem' | 'connectTimeoutSeconds'>,
): Pick<ConnectionOptions, 'login' | 'connect' | 'connectTimeoutSeconds'> {
  const { addresses, targetSessionAttributes, ...login } = parseConnectionUrl(url);
  const limitSeconds = login.connectTimeoutSeconds ?? connectTimeoutSeconds ?? CONNECT_TIMEOUT_SECONDS;
  const connect = (address: Address, limitMs: number, aborted: AbortSignal) =>
    // As libpq: what stays on the machine is not encrypted.
    ssl === 'disable' || 'path' in address
      ? connectSocket(address, limitMs, aborted)
      : connectSocket(address, limitMs, aborted, (socket) => secured(socket, address, { ssl, caPem }));
  const probe = (address: Address): Promise<ServerState> =>
    askState({
      login,
      connect: (limitMs, aborted) => connect(address, limitMs, aborted),
      connectTimeoutSeconds: limitSeconds,
    });
  const choice = new ServerChoice({ addresses, targetSessionAttributes, connect, probe });
  return {
    login,
    connect: (limitMs, aborted) => choice.connect(limitMs, aborted),
    connectTimeoutSeconds: limitSeconds,
  };
}

async function askState(
  way: Pick<ConnectionOptions, 'login' | 'connect' | 'connectTimeoutSeconds'>,
): Promise<ServerState> {
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
