import { connect, type Socket } from 'node:net';
import { KmsError } from '@qnsp/kms-core';
import postgres from 'postgres';

/** Where a server listens. */
export type Address = { readonly host: string; readonly port: number } | { readonly path: string };

/**
 * Where the server of a URL listens, as postgres.js reads it.
 *
 * @throws KmsError `BAD_REQUEST` for a URL that asks for what the store would not do.
 */
export function addressOf(url: string): Address {
  // Nothing is connected: this client has no connections.
  const { host, port, path } = postgres(url, { max: 0 }).options;
  const [first, ...others] = host;
  if (first === undefined || others.length > 0) {
    throw new KmsError('BAD_REQUEST', 'The database URL names several hosts. Put one address in front of them.');
  }
  if (/[?&]ssl(?:mode|rootcert)?=/.test(url)) {
    throw new KmsError(
      'BAD_REQUEST',
      'The database URL asks for TLS. Say it by the setting for TLS, which decides alone.',
    );
  }
  return path ? { path } : { host: first, port: port[0] ?? 5432 };
}

/** A connected socket. Rejects with `CONNECT_TIMEOUT` when that takes too long, or when it is aborted. */
export function connectSocket(address: Address, limitMs: number, aborted: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ ...address, noDelay: true });
    const giveUp = (): void => {
      socket.destroy(Object.assign(new Error('the server took no connection in time'), { code: 'CONNECT_TIMEOUT' }));
    };
    const timer = setTimeout(giveUp, limitMs);
    const settle = (): void => {
      clearTimeout(timer);
      aborted.removeEventListener('abort', giveUp);
      socket.off('connect', connected);
      socket.off('error', failed);
    };
    const connected = (): void => {
      settle();
      resolve(socket);
    };
    const failed = (error: Error): void => {
      settle();
      reject(error);
    };
    socket.once('connect', connected);
    socket.once('error', failed);
    aborted.addEventListener('abort', giveUp, { once: true });
  });
}
