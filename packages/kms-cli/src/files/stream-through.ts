import { createReadStream } from 'node:fs';
import { Readable, type Writable } from 'node:stream';
import { writeAtomically } from '@qnsp/kms-client/node';
import type { Destination, Source } from './place.ts';

const READ_BYTES = 2 ** 20;

/**
 * Sends data through a transformation, in constant memory. A file appears only once all of it is written; what goes to
 * a pipe is gone, so its reader must check the exit code.
 *
 * @param onProgress called with the number of bytes read
 */
export async function streamThrough(
  source: Source,
  transform: TransformStream<Uint8Array, Uint8Array>,
  destination: Destination,
  onProgress: (bytes: number) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  const input =
    source.kind === 'pipe' ? source.pipes.input : createReadStream(source.path, { highWaterMark: READ_BYTES });
  let done = 0;
  const counted = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      onProgress((done += chunk.length));
      controller.enqueue(chunk);
    },
  });
  // Node's own type of a web stream has more than the platform's, and is one.
  const bytes = Readable.toWeb(input) as ReadableStream<Uint8Array>;
  const result = bytes.pipeThrough(counted, options(signal)).pipeThrough(transform, options(signal));
  if (destination.kind === 'pipe') {
    const { output } = destination.pipes;
    for await (const chunk of result) {
      await write(output, chunk, signal);
      release(chunk);
    }
    return;
  }
  await writeAtomically(destination.path, destination.overwrite, async (file) => {
    for await (const chunk of result) {
      await file.writeFile(chunk);
      release(chunk);
    }
  });
}

function options(signal: AbortSignal | undefined) {
  return signal === undefined ? {} : { signal };
}

/** Frees the memory of a piece that is no longer needed, without waiting for V8 to collect it. */
function release({ buffer, byteLength }: Uint8Array): void {
  // A part of a buffer may share it with others.
  if (buffer instanceof ArrayBuffer && byteLength === buffer.byteLength) buffer.transfer(0);
}

/** Waits until the data has gone, so that no more than one piece is held in memory, or until the signal: a reader may never read. */
export function write(output: Writable, chunk: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
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
