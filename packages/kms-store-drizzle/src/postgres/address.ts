import { connect, type Socket } from 'node:net';

/** Where a server listens: a host by its name or address, or a Unix socket. `name` is the server's name where `host` is a number. */
export type Address =
  | { readonly host: string; readonly port: number; readonly name?: string }
  | { readonly path: string };

/** How people write an address. */
export function describeAddress(address: Address): string {
  if ('path' in address) return address.path.replace('\0', '@');
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

/**
 * A connected socket, prepared as asked. Rejects with `CONNECT_TIMEOUT` when all of that takes too long, or when it is
 * aborted, and with `CONNECTION_CLOSED` when the server hangs up in the meantime.
 *
 * @param prepare what else has to happen before the socket is of use
 */
export async function connectSocket(
  address: Address,
  limitMs: number,
  aborted: AbortSignal,
  prepare: (socket: Socket) => Promise<Socket> = async (socket) => socket,
): Promise<Socket> {
  const socket = connect('path' in address ? { path: address.path } : { ...address, noDelay: true });
  const failed = Promise.withResolvers<never>();
  const giveUp = (): void => failed.reject(failure('CONNECT_TIMEOUT', 'the server accepted no connection in time'));
  const hungUp = (): void => failed.reject(failure('CONNECTION_CLOSED', 'the server closed the connection'));
  const timer = setTimeout(giveUp, limitMs);
  aborted.addEventListener('abort', giveUp, { once: true });
  socket.on('error', failed.reject);
  socket.on('close', hungUp);
  const connected = new Promise<void>((resolve) => {
    socket.once('connect', resolve);
  });
  try {
    return await Promise.race([connected.then(() => prepare(socket)), failed.promise]);
  } catch (error) {
    socket.destroy();
    throw located(error, address);
  } finally {
    clearTimeout(timer);
    aborted.removeEventListener('abort', giveUp);
    socket.off('error', failed.reject);
    socket.off('close', hungUp);
    // The recipient of the socket listens for its errors, but not at once.
    failed.promise.catch(() => undefined);
  }
}

/** The same failure, with where it happened: what tried several addresses of a name says only that it failed. */
function located(error: unknown, address: Address): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error;
  const { code, message } = error;
  const text = `${describeAddress(address)}: ${message === '' ? String(code) : message}`;
  return Object.assign(new Error(text, { cause: error }), { code });
}

function failure(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
