import type { SegmentPieces } from '../envelope/streaming-aead.ts';
import type { ByteSink } from './byte-ends.ts';

/** Writes one segment while the next one is worked on. */
export interface WriteBehind {
  /** Waits for what was written before. The pieces are its own from then on. */
  write(pieces: SegmentPieces): Promise<void>;
}

/**
 * The C library of most systems keeps about twice as much freed memory as the largest piece that it ever took back from a
 * process. Until then each new segment would be memory that the system has to clear first, which takes as long as all else.
 */
const LARGEST_FREED = 2 ** 23;

/** Waits for all that was written, even where the work fails: nobody may close what is being written. */
export async function writingBehind(sink: ByteSink, work: (writer: WriteBehind) => Promise<void>): Promise<void> {
  release(new Uint8Array(LARGEST_FREED));
  let writing = Promise.resolve();
  try {
    await work({
      async write(pieces) {
        await writing;
        writing = writeAll(sink, pieces);
        // It is awaited by the next call; until then a failure must not count as unhandled.
        writing.catch(() => undefined);
      },
    });
  } catch (error) {
    await writing.catch(() => undefined);
    throw error;
  }
  await writing;
}

async function writeAll(sink: ByteSink, pieces: SegmentPieces): Promise<void> {
  for (const piece of pieces) {
    if (piece.length > 0) await sink.write(piece);
    release(piece);
  }
}

/**
 * Frees the memory of a piece that is no longer needed. Each is a new buffer outside V8's heap, and V8 on its own lets
 * more than a hundred MiB of them accumulate before it looks.
 */
function release({ buffer, byteLength }: Uint8Array): void {
  // A part of a buffer may share it with others.
  if (!(buffer instanceof ArrayBuffer) || byteLength !== buffer.byteLength) return;
  // Node.js 20 has no ArrayBuffer.transfer. A copy that is dropped at once frees the memory as well: it is moved, not
  // copied.
  if (typeof buffer.transfer === 'function') buffer.transfer(0);
  else structuredClone(buffer, { transfer: [buffer] });
}
