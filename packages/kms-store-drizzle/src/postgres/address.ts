import { connect, type Socket } from 'node:net';

/** Where a server listens. */
export type Address = { readonly host: string; readonly port: number } | { readonly path: string };

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
