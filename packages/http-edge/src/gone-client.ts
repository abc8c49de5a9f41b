import type { Socket } from 'node:net';
import { KmsError } from '@qnsp/kms-core';

const signals = new WeakMap<Socket, AbortSignal>();

/** Is aborted when a connection is closed: nobody gets the answer to any of its requests any more. */
export function goneSignal(socket: Socket): AbortSignal {
  const known = signals.get(socket);
  if (known !== undefined) return known;
  const gone = new AbortController();
  const leave = () =>
    gone.abort(new KmsError('BAD_REQUEST', 'The client closed the connection before the request was carried out.'));
  if (socket.destroyed) leave();
  else socket.once('close', leave);
  signals.set(socket, gone.signal);
  return gone.signal;
}
