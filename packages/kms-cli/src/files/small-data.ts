import { createReadStream } from 'node:fs';
import { addAbortSignal } from 'node:stream';
import { writeAtomically } from '@qnsp/kms-client/node';
import { CommandError, EXIT } from '../terminal/exit-codes.ts';
import type { Destination, Source } from './place.ts';
import { writeTo } from './write-to.ts';

/** How much the service signs in one call, in bytes; a test compares it with the contract. */
export const MESSAGE_BYTES = 782_336;
/** More than any key, wrapped key or signature has, in bytes. */
export const KEY_BYTES = 65_536;

/**
 * Reads what goes to the service in one call.
 *
 * @param advice what to do with more than that
 * @throws CommandError for more than `limit` bytes, of which no more is read.
 */
export async function readSmall(
  source: Source,
  limit: number,
  advice: string,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const input = source.kind === 'pipe' ? source.pipes.input : createReadStream(source.path);
  if (signal !== undefined) addAbortSignal(signal, input);
  const pieces: Uint8Array[] = [];
  let length = 0;
  // A stream without an encoding gives bytes.
  for await (const piece of input as AsyncIterable<Uint8Array>) {
    pieces.push(piece);
    length += piece.length;
    if (length > limit) {
      const name = source.kind === 'pipe' ? 'Standard input' : source.path;
      throw new CommandError(EXIT.usage, `${name} is larger than the limit of ${limit} bytes: ${advice}.`);
    }
  }
  return Buffer.concat(pieces);
}

/** Writes a whole result; a file is readable by its owner only. */
export async function writeSmall(
  destination: Destination,
  data: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (destination.kind === 'pipe') return writeTo(destination.pipes.output, data, signal);
  await writeAtomically(destination.path, destination.overwrite, (file) => file.writeFile(data));
}
