import { type FileHandle, open } from 'node:fs/promises';
import { writeAtomically } from './atomic-file.ts';

/** Where bytes come from, such as a pipe. */
export interface ByteSource {
  /**
   * Puts the next bytes at the beginning of the buffer.
   *
   * @param atLeast how many there must be before it answers, 1 or more
   * @returns how many there are; fewer than `atLeast` only at the end, after which it is always 0
   */
  read(buffer: Uint8Array<ArrayBuffer>, atLeast: number): Promise<number>;
}

/** Where bytes go, such as a pipe. */
export interface ByteSink {
  /** Answers once all of the data has gone; it is overwritten afterwards. The next call waits for that. */
  write(data: Uint8Array): Promise<void>;
}

/** What is read and what is written. */
export interface FilePaths {
  /** A file, or where its content comes from. To end it with a signal while a source waits, the source must heed it too. */
  readonly source: string | ByteSource;
  /**
   * Where the result goes. A file appears only once it is complete; only its owner can read it. What went to a sink is
   * authentic, but only when all is done is it known that nothing is missing.
   */
  readonly destination: string | ByteSink;
  /** Whether an existing file is replaced; otherwise it is an error. */
  readonly overwrite?: boolean | undefined;
  /** Called with the number of bytes of the source that are done. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

/** Opens both ends, and closes them after the work. */
export async function withEnds(
  { source, destination, overwrite = false }: FilePaths,
  work: (source: ByteSource, sink: ByteSink) => Promise<void>,
): Promise<void> {
  await withSource(source, async (input) => {
    if (typeof destination !== 'string') return work(input, destination);
    await writeAtomically(destination, overwrite, (file) => work(input, fileSink(file)));
  });
}

async function withSource(source: string | ByteSource, work: (source: ByteSource) => Promise<void>): Promise<void> {
  if (typeof source !== 'string') return work(source);
  const file = await open(source, 'r');
  const input = fileSource(file);
  try {
    await work(input);
  } finally {
    await input.close();
  }
}

interface FileSource extends ByteSource {
  /** Closes the file, but not under what is being read. */
  close(): Promise<void>;
}

function fileSource(file: FileHandle): FileSource {
  let reading: Promise<unknown> = Promise.resolve();
  const read = async (buffer: Uint8Array<ArrayBuffer>, atLeast: number) => {
    let filled = 0;
    while (filled < atLeast) {
      const { bytesRead } = await file.read(buffer, filled, buffer.length - filled, null);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return filled;
  };
  return {
    read(buffer, atLeast) {
      const result = read(buffer, atLeast);
      reading = result.catch(() => undefined);
      return result;
    },
    async close() {
      // What is no file, such as a named pipe, may never give anything.
      if ((await file.stat()).isFile()) await reading;
      await file.close();
    },
  };
}

function fileSink(file: FileHandle): ByteSink {
  return {
    async write(data) {
      let written = 0;
      while (written < data.length) {
        const { bytesWritten } = await file.write(data, written, data.length - written);
        written += bytesWritten;
      }
    },
  };
}
