import { createReadStream } from 'node:fs';
import { CommandError, EXIT } from '../terminal/exit-codes.ts';

const LINE_FEED = 0x0a;
/** Several times the largest ciphertext with its context, in base64. */
const MOST_LINE_BYTES = 2 ** 20;

/** A line of a file. */
export interface FileLine {
  readonly text: string;
  /** Where the next line begins, in bytes. */
  readonly end: number;
  /** Whether a line feed ends it: one that a program was writing when it ended has none. */
  readonly isComplete: boolean;
}

/** The lines of a file, one at a time. Throws a `CommandError` for one that is longer than 1 MiB. */
export async function* linesOf(path: string, signal: AbortSignal | undefined): AsyncGenerator<FileLine, void, void> {
  let rest: Buffer = Buffer.alloc(0);
  let end = 0;
  // A stream without an encoding gives buffers.
  for await (const chunk of createReadStream(path, { signal }) as AsyncIterable<Buffer>) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let start = 0;
    for (let at = rest.indexOf(LINE_FEED); at !== -1; at = rest.indexOf(LINE_FEED, start)) {
      const line = rest.subarray(start, at);
      end += line.length + 1;
      yield { text: textOf(line, path), end, isComplete: true };
      start = at + 1;
    }
    rest = rest.subarray(start);
    if (rest.length > MOST_LINE_BYTES) throw tooLong(path);
  }
  if (rest.length > 0) yield { text: textOf(rest, path), end: end + rest.length, isComplete: false };
}

function textOf(line: Buffer, path: string): string {
  if (line.length > MOST_LINE_BYTES) throw tooLong(path);
  return line.toString('utf8');
}

function tooLong(path: string): CommandError {
  return new CommandError(
    EXIT.data,
    `${path} has a line of more than ${MOST_LINE_BYTES} bytes: check that it is the right file.`,
  );
}

/** The object in a line; `undefined` for anything else. */
export function objectIn(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined;
  }
}
