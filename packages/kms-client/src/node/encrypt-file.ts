import { type FileHandle, open } from 'node:fs/promises';
import type { DataKeySource } from '../envelope/data-keys.ts';
import { type EncryptOptions, plaintextBytes, startSealing } from '../envelope/sealer.ts';
import type { SegmentPieces } from '../envelope/streaming-aead.ts';
import { writeAtomically } from './atomic-file.ts';
import { fileSegments, writeFully } from './file-segments.ts';
import { nodeSegmentCipher } from './node-segment-cipher.ts';

/** Which file to read and which one to write. */
export interface FilePaths {
  readonly source: string;
  /** Where the result goes. It appears only once it is complete; only its owner can read it. */
  readonly destination: string;
  /** Whether an existing file is replaced; otherwise it is an error. */
  readonly overwrite?: boolean | undefined;
  /** Called with the number of bytes of the source that are done. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

export async function encryptFile(dataKeys: DataKeySource, options: EncryptOptions & FilePaths): Promise<void> {
  const { source, destination, overwrite = false, onProgress } = options;
  const input = await open(source, 'r');
  try {
    await writeAtomically(destination, overwrite, async (output) => {
      const sealer = await startSealing(dataKeys, options, nodeSegmentCipher);
      await writeFully(output, sealer.header);
      const writer = writeBehind(output);
      let done = 0;
      for await (const { data, isLast } of fileSegments(input, plaintextBytes)) {
        await writer.write(await sealer.seal(data, isLast));
        onProgress?.((done += data.length));
      }
      await writer.end();
    });
  } finally {
    await input.close();
  }
}

/** Writes one segment while the next one is worked on. */
export function writeBehind(output: FileHandle) {
  let writing = Promise.resolve();
  return {
    async write(pieces: SegmentPieces): Promise<void> {
      await writing;
      writing = writeAll(output, pieces);
      // It is awaited by the next call; until then a failure must not count as unhandled.
      writing.catch(() => undefined);
    },
    end: () => writing,
  };
}

async function writeAll(output: FileHandle, pieces: SegmentPieces): Promise<void> {
  for (const piece of pieces) {
    await writeFully(output, piece);
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
