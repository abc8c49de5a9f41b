import { isIP, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import type { Address } from './address.ts';
import type { SslMode } from './options.ts';

/** Eight bytes: the length, and the number that asks for TLS (PostgreSQL protocol 3.0, SSLRequest). */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);
const YES = 0x53;
const NO = 0x4e;

export interface TlsSettings {
  readonly ssl: Exclude<SslMode, 'disable'>;
  readonly caPem?: string | undefined;
}

/**
 * Asks a server for TLS and returns the encrypted socket. Nothing but the request is sent in the clear, and nothing
 * received in the clear is taken for anything but the answer: a single byte, after which somebody in between could
 * insert what the session would take for the server's (as in CVE-2021-23222).
 *
 * postgres.js would throw further bytes away; here they end the connection.
 *
 * @param when whether a server that offers no TLS is refused, or spoken to in the clear
 */
export async function secured(
  socket: Socket,
  address: Address,
  tls: ConnectionOptions,
  when: 'always' | 'if offered' = 'always',
): Promise<Socket> {
  const answered = new Promise<Buffer>((resolve) => {
    socket.once('data', resolve);
  });
  socket.write(SSL_REQUEST);
  const answer = await answered;
  if (answer.length !== 1 && (answer[0] === YES || answer[0] === NO))
    throw failure('CONNECT_TLS_REFUSED', 'the server sent more than its answer to the TLS request');
  if (answer[0] === NO && when === 'if offered') return socket;
  if (answer[0] !== YES) throw failure('CONNECT_NO_TLS', 'the server offers no TLS');
  return encrypted(socket, address, tls);
}

/** Begins TLS at once. */
export async function encrypted(socket: Socket, address: Address, tls: ConnectionOptions): Promise<Socket> {
  const host = hostOf(address);
  // An address is not a name that a server could be asked for (RFC 6066, section 3).
  const servername = host === '' || isIP(host) !== 0 ? {} : { servername: host };
  const overTls = connectTls({ socket, ...servername, host, ...tls });
  await new Promise<void>((resolve, reject) => {
    overTls.once('error', reject);
    overTls.once('secureConnect', () => {
      overTls.off('error', reject);
      resolve();
    });
  });
  return overTls;
}

/** As in libpq: with an authority at hand, `require` verifies it too. */
export function tlsOptions({ ssl, caPem }: TlsSettings): ConnectionOptions {
  if (ssl === 'require' && caPem === undefined) return { rejectUnauthorized: false };
  return {
    rejectUnauthorized: true,
    ...(caPem === undefined ? {} : { ca: caPem }),
    ...(ssl === 'verify-full' ? {} : { checkServerIdentity: () => undefined }),
  };
}

function hostOf(address: Address): string {
  return 'path' in address ? '' : (address.name ?? address.host);
}

function failure(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
