import { fstatSync, read } from 'node:fs';
import { Socket } from 'node:net';
import { isatty, ReadStream } from 'node:tty';
import { promisify } from 'node:util';
import type { ByteSource } from '@qnsp/kms-client/node';

/** A source that may keep the process waiting until it is closed. */
export interface ClosableSource extends ByteSource {
  close(): void;
}

/**
 * Reads what a descriptor gives straight into the buffers of the caller. The signal ends a read that waits, with its
 * reason.
 */
export function descriptorSource(descriptor: number, signal: AbortSignal | undefined): ClosableSource {
  const facts = fstatSync(descriptor);
  if (facts.isFIFO() || facts.isSocket() || isatty(descriptor)) return waitingSource(descriptor, signal);
  return fileSource(descriptor);
}

const readFrom = promisify(read);

function fileSource(descriptor: number): ClosableSource {
  return {
    async read(buffer, atLeast) {
      let filled = 0;
      while (filled < atLeast) {
        const { bytesRead } = await readFrom(descriptor, buffer, filled, buffer.length - filled, null);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return filled;
    },
    close: () => undefined,
  };
}

/** What is asked for, and how much of it is there. */
interface Request {
  readonly buffer: Uint8Array;
  readonly atLeast: number;
  readonly resolve: (filled: number) => void;
  readonly reject: (reason: unknown) => void;
  filled: number;
}

/** No pipe gives more at once, unless it was told to. */
const AT_ONCE = 2 ** 16;

/** Waits for its writer in the event loop: a thread that waits in the system cannot be called back. */
function waitingSource(descriptor: number, signal: AbortSignal | undefined): ClosableSource {
  let request: Request | undefined;
  let end: { readonly error: unknown } | 'ended' | undefined;
  // Where the next bytes go is asked for before anybody wants them: the first ones of every request come here.
  const spare = new Uint8Array(AT_ONCE);
  let early = new Uint8Array();

  const proceed = () => {
    if (request === undefined) return;
    const { buffer, atLeast, resolve, reject } = request;
    const taken = early.subarray(0, buffer.length - request.filled);
    buffer.set(taken, request.filled);
    early = early.subarray(taken.length);
    request.filled += taken.length;
    if (request.filled < atLeast && end === undefined) return;
    const { filled } = request;
    request = undefined;
    if (end === undefined || end === 'ended') resolve(filled);
    else reject(end.error);
  };
  const endWith = (how: { readonly error: unknown } | 'ended') => {
    end ??= how;
    proceed();
  };
  const onread = {
    buffer: () => request?.buffer.subarray(request.filled) ?? spare,
    callback(bytes: number, into: Uint8Array) {
      if (into === spare) early = spare.subarray(0, bytes);
      else if (request !== undefined) request.filled += bytes;
      proceed();
      return request !== undefined;
    },
  };
  const socket = isatty(descriptor)
    ? new ReadStream(descriptor, { onread })
    : new Socket({ fd: descriptor, readable: true, writable: false, onread });
  socket.once('end', () => endWith('ended'));
  socket.once('error', (error) => endWith({ error }));
  const abort = () => endWith({ error: signal?.reason });
  if (signal?.aborted === true) abort();
  else signal?.addEventListener('abort', abort, { once: true });

  return {
    read: (buffer, atLeast) =>
      new Promise((resolve, reject) => {
        request = { buffer, atLeast, resolve, reject, filled: 0 };
        proceed();
        if (request !== undefined) socket.resume();
      }),
    close() {
      signal?.removeEventListener('abort', abort);
      socket.destroy();
    },
  };
}
