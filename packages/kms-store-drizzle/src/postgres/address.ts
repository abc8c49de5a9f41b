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

/** How long a socket may take to be of use. */
export interface SocketLimits {
  readonly limitMs: number;
  readonly aborted: AbortSignal;
}

/**
 * A connected socket, prepared as asked.
 *
 * @param prepare what else has to happen before the socket is of use
 * @throws as {@link guarded}
 */
export function connectSocket(
  address: Address,
  limits: SocketLimits,
  prepare: (socket: Socket) => Promise<Socket> = async (socket) => socket,
): Promise<Socket> {
  return guarded(address, limits, async (guard) => {
    const socket = connect('path' in address ? { path: address.path } : { ...address, noDelay: true });
    guard(socket);
    await new Promise<void>((resolve) => {
      socket.once('connect', resolve);
    });
    return prepare(socket);
  });
}

/**
 * Makes a socket. Rejects with `CONNECT_TIMEOUT` when that takes too long, or when it is aborted, and with `CONNECTION_CLOSED` when
 * the server hangs up in the meantime; what was made by then is destroyed.
 *
 * @param make hands over what it connects as soon as it has it
 */
export async function guarded(
  address: Address,
  { limitMs, aborted }: SocketLimits,
  make: (guard: (socket: Socket) => void) => Promise<Socket>,
): Promise<Socket> {
  const failed = Promise.withResolvers<never>();
  const giveUp = (): void => failed.reject(failure('CONNECT_TIMEOUT', 'the server accepted no connection in time'));
  const hungUp = (): void => failed.reject(failure('CONNECTION_CLOSED', 'the server closed the connection'));
  const sockets: Socket[] = [];
  let isOver = false;
  const guard = (socket: Socket): void => {
    socket.on('error', failed.reject);
    socket.on('close', hungUp);
    sockets.push(socket);
    if (isOver) socket.destroy();
    else if (socket.destroyed) hungUp();
  };
  const timer = setTimeout(giveUp, limitMs);
  aborted.addEventListener('abort', giveUp, { once: true });
  if (aborted.aborted) giveUp();
  try {
    const made = await Promise.race([make(guard), failed.promise]);
    for (const socket of sockets) {
      socket.off('error', failed.reject);
      socket.off('close', hungUp);
    }
    return made;
  } catch (error) {
    isOver = true;
    for (const socket of sockets) socket.destroy();
    throw located(error, address);
  } finally {
    clearTimeout(timer);
    aborted.removeEventListener('abort', giveUp);
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
