import type { Destination, Source } from '../../files/place.ts';
import { freeingPassedBuffers } from '../../files/free-passed-buffers.ts';
import { streamThrough } from '../../files/stream-through.ts';
import type { CommandIo } from '../../terminal/io.ts';
import { progressBar } from '../../terminal/progress-bar.ts';

interface FilePaths {
  readonly source: string;
  readonly destination: string;
  readonly overwrite: boolean;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: (bytes: number) => void;
}

/** The two ways of an envelope: from file to file, or through a stream where a pipe is at one end. */
interface Conversion {
  readonly file: (paths: FilePaths) => Promise<void>;
  readonly stream: () => TransformStream<Uint8Array, Uint8Array>;
}

/** Sends data of any size through an envelope, with a progress bar on a terminal. */
export async function convert(
  io: CommandIo,
  source: Source,
  destination: Destination,
  { file, stream }: Conversion,
): Promise<void> {
  const progress = progressBar(io, source.kind === 'file' ? source.size : undefined);
  const onProgress = freeingPassedBuffers(progress.at);
  const { signal } = io;
  try {
    if (source.kind === 'file' && destination.kind === 'file') {
      const { path, overwrite } = destination;
      await file({ source: source.path, destination: path, overwrite, signal, onProgress });
    } else await streamThrough(source, stream(), destination, onProgress, signal);
  } finally {
    progress.end();
  }
}
