import type { FileHandle } from 'node:fs/promises';

/** A part of a file, and whether nothing follows it. */
export interface FileSegment {
  readonly data: Uint8Array<ArrayBuffer>;
  readonly isLast: boolean;
}

/**
 * Reads a file segment by segment, from where it stands. While one is processed, the next but one is read. The data of
 * a segment is valid only until the one after it is asked for.
 */
export async function* fileSegments(
  file: FileHandle,
  sizeOf: (index: number) => number,
): AsyncGenerator<FileSegment, void, void> {
  // Three are in use at a time: the one being processed, the next one, and the one being read.
  const buffers = Array.from({ length: 3 }, () => new Uint8Array(Math.max(sizeOf(0), sizeOf(1))));
  const read = async (index: number) => {
    const buffer = buffers[index % buffers.length] ?? new Uint8Array();
    return readFully(file, buffer.subarray(0, sizeOf(index)));
  };
  let current = await read(0);
  let next = await (current.length < sizeOf(0) ? nothing() : read(1));
  for (let index = 0; ; index += 1) {
    const isLast = next.length === 0;
    const afterNext = next.length < sizeOf(index + 1) ? nothing() : read(index + 2);
    // It is awaited below; until then a failure must not count as unhandled.
    afterNext.catch(() => undefined);
    yield { data: current, isLast };
    if (isLast) return;
    current = next;
    next = await afterNext;
  }
}

async function nothing(): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array();
}

/** Fills the buffer, or as much of it as the file has. */
export async function readFully(file: FileHandle, buffer: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  let filled = 0;
  while (filled < buffer.length) {
    const { bytesRead } = await file.read(buffer, filled, buffer.length - filled, null);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}

export async function writeFully(file: FileHandle, data: Uint8Array): Promise<void> {
  let written = 0;
  while (written < data.length) {
    const { bytesWritten } = await file.write(data, written, data.length - written);
    written += bytesWritten;
  }
}
