import type { Writable } from 'node:stream';

/** Waits until the data has gone, so that no more than one piece is held in memory, or until the signal: a reader may never read. */
export function writeTo(output: Writable, chunk: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const end = () => {
      // The caller that aborts chooses the reason.
      // oxlint-disable-next-line typescript/prefer-promise-reject-errors
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', end, { once: true });
    output.write(chunk, (error) => {
      signal?.removeEventListener('abort', end);
      if (error === null || error === undefined) resolve();
      else reject(error);
    });
  });
}
