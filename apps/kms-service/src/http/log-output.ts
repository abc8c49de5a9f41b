import { writeSync } from 'node:fs';

/** How long the line of a request may wait for others, and how many characters are written at once. */
const GATHER_MS = 10;
const ENOUGH_CHARACTERS = 32 * 1024;
/** So much waits for a reader that is slow; one that hangs must not take the memory. */
const MOST_CHARACTERS = 4 * 1024 * 1024;
/** How often an output that does not take anything is tried again when nothing new comes. */
const RETRY_MS = 200;
/** How long the last lines of a process wait for a reader that is slow. */
const FAREWELL_MS = 1000;
const PAUSE_MS = 5;
const LINE_END = 0x0a;
const NOTHING = Buffer.alloc(0);

/** The output of the process. */
export interface Output {
  /** Writes a line at the end of this turn of the event loop. */
  write(line: string): void;
  /** Writes a line together with others that come within a few milliseconds: each write is a call of the system. */
  readonly gather: (line: string) => void;
  /** Writes what is left, before the process ends. */
  finish(): void;
}

/**
 * Opens the output. The service continues when nothing can be written, for example because the disk is full: lines are
 * dropped and counted, and as soon as something can be written again a line says how many they were.
 *
 * @param report makes the line that says how many were dropped, and why
 * @param writeBytes writes as many of the bytes as it can and answers how many; throws what the system says otherwise
 */
export function openOutput(
  report: (dropped: number, reason: string) => string,
  writeBytes: (bytes: Buffer) => number = (bytes) => writeSync(process.stdout.fd, bytes),
): Output {
  let pending = '';
  /** The end of a line whose beginning was written. */
  let begun = NOTHING;
  let dropped = 0;
  let reason = '';
  let timer: NodeJS.Timeout | undefined;
  let retry: NodeJS.Timeout | undefined;

  /** Answers whether a reader that is slow is all that is waited for. */
  const flush = (): boolean => {
    clearTimeout(timer);
    timer = undefined;
    if (pending === '' && begun.length === 0 && dropped === 0) return false;
    const notice = dropped === 0 ? NOTHING : Buffer.from(report(dropped, reason), 'utf8');
    const bytes = Buffer.concat([begun, notice, Buffer.from(pending, 'utf8')]);
    const { written, failure } = writeAll(bytes, writeBytes);
    // What was begun is said: its end follows before anything else.
    const said = written > begun.length || failure === undefined;
    // Of nothing that was written `begun` says whether a line ended.
    const lineEnded = written === 0 ? begun.length === 0 : bytes[written - 1] === LINE_END;
    const endOfLine = lineEnded ? written : bytes.indexOf(LINE_END, written) + 1;
    begun = bytes.subarray(written, endOfLine);
    if (said) dropped = 0;
    const linesAt = Math.max(endOfLine, bytes.length - Buffer.byteLength(pending));
    pending = bytes.toString('utf8', linesAt);
    if (failure === undefined) return false;
    if (failure !== 'EAGAIN' || pending.length > MOST_CHARACTERS) {
      dropped += countLines(pending);
      reason = failure;
      pending = '';
    }
    retry ??= setTimeout(() => {
      retry = undefined;
      flush();
    }, RETRY_MS).unref();
    return failure === 'EAGAIN';
  };

  return {
    write: (line) => {
      pending += line;
      setImmediate(flush);
    },
    gather: (line) => {
      pending += line;
      if (pending.length >= ENOUGH_CHARACTERS) flush();
      else timer ??= setTimeout(flush, GATHER_MS);
    },
    finish: () => {
      const until = performance.now() + FAREWELL_MS;
      const pause = new Int32Array(new SharedArrayBuffer(4));
      while (flush() && performance.now() < until) Atomics.wait(pause, 0, 0, PAUSE_MS);
    },
  };
}

/** Writes until all is written or the system refuses, and answers how it says so. */
function writeAll(bytes: Buffer, writeBytes: (bytes: Buffer) => number): { written: number; failure?: string } {
  let written = 0;
  try {
    while (written < bytes.length) written += writeBytes(bytes.subarray(written));
    return { written };
  } catch (error) {
    // Whatever it is, the service continues without its log, and the line that says so names it.
    return { written, failure: error instanceof Error && 'code' in error ? String(error.code) : String(error) };
  }
}

function countLines(text: string): number {
  let count = 0;
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) count += 1;
  return count;
}
