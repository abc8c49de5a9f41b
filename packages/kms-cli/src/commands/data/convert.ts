import type { ByteSink, FilePaths } from '@qnsp/kms-client/node';
import { descriptorSource } from '../../files/descriptor-source.ts';
import type { Destination, Source } from '../../files/place.ts';
import { writeTo } from '../../files/write-to.ts';
import type { CommandIo } from '../../terminal/io.ts';
import { progressBar } from '../../terminal/progress-bar.ts';

interface Ends extends FilePaths {
  readonly signal: AbortSignal | undefined;
}

/** Sends data of any size through an envelope, with a progress bar on a terminal. */
export async function convert(
  io: CommandIo,
  source: Source,
  destination: Destination,
  work: (ends: Ends) => Promise<void>,
): Promise<void> {
  const { signal } = io;
  const progress = progressBar(io, source.kind === 'file' ? source.size : undefined);
  const input = source.kind === 'file' ? source.path : descriptorSource(source.pipes.inputDescriptor, signal);
  try {
    await work({
      source: input,
      ...endOf(destination, signal),
      signal,
      onProgress: progress.at,
    });
  } finally {
    if (typeof input !== 'string') input.close();
    progress.end();
  }
}

function endOf(destination: Destination, signal: AbortSignal | undefined): Pick<Ends, 'destination' | 'overwrite'> {
  if (destination.kind === 'file') return { destination: destination.path, overwrite: destination.overwrite };
  const { output } = destination.pipes;
  const sink: ByteSink = { write: (data) => writeTo(output, data, signal) };
  return { destination: sink };
}
