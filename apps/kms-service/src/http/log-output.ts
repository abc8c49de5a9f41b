import { writeSync } from 'node:fs';

/** How long the line of a request may wait for others, and how many bytes are written at once. */
const GATHER_MS = 10;
const ENOUGH_BYTES = 32 * 1024;
/** So much is held without taking more memory for it. */
const USUAL_BYTES = 2 * ENOUGH_BYTES;
/** So much waits for a reader that is slow; one that hangs must not take the memory. */
const MOST_BYTES = 4 * 1024 * 1024;
/** No unit of UTF-16 takes more bytes of UTF-8 than this. */
const BYTES_OF_CHARACTER = 3;
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
  /** The lines that wait, as bytes: to copy each as it comes costs less than to join hundreds of texts. */
  let held = Buffer.allocUnsafeSlow(USUAL_BYTES);
  let used = 0;
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
    const lines = held.subarray(0, used);
    const isPlain = begun.length === 0 && dropped === 0;
    if (isPlain && used === 0) return false;
    const bytes = isPlain
      ? lines
      : Buffer.concat([begun, dropped === 0 ? NOTHING : Buffer.from(report(dropped, reason), 'utf8'), lines]);
    let written = 0;
    try {
      while (written < bytes.length) written += writeBytes(bytes.subarray(written));
    } catch (error) {
      // Whatever it is, the service continues without its log, and the line that says so names it.
      return failed(bytes, written, error instanceof Error && 'code' in error ? String(error.code) : String(error));
    }
    begun = NOTHING;
    dropped = used = 0;
    if (held.length > USUAL_BYTES) held = Buffer.allocUnsafeSlow(USUAL_BYTES);
    return false;
  };

  /** The system took so many of the bytes and then refused: keeps the rest of the line that was begun, and the lines after it or their number. */
  const failed = (bytes: Buffer, written: number, failure: string): boolean => {
    const linesAt = bytes.length - used;
    // What was begun is said: its end follows before anything else.
    if (written > begun.length) dropped = 0;
    // Of nothing that was written `begun` says whether a line ended.
    const lineEnded = written === 0 ? begun.length === 0 : bytes[written - 1] === LINE_END;
    const endOfLine = lineEnded ? written : bytes.indexOf(LINE_END, written) + 1;
    begun = Buffer.from(bytes.subarray(written, endOfLine));
    const leftAt = Math.max(endOfLine, linesAt);
    used = bytes.length - leftAt;
    bytes.copy(held, 0, leftAt);
    if (failure !== 'EAGAIN' || used > MOST_BYTES) {
      dropped += countLines(held.subarray(0, used));
      reason = failure;
      used = 0;
    }
    retry ??= setTimeout(() => {
      retry = undefined;
      flush();
    }, RETRY_MS).unref();
    return failure === 'EAGAIN';
  };

  const gather = (line: string): void => {
    const most = used + line.length * BYTES_OF_CHARACTER;
    if (most > held.length) {
      const larger = Buffer.allocUnsafeSlow(2 * most);
      held.copy(larger, 0, 0, used);
      held = larger;
    }
    used += held.write(line, used, 'utf8');
    if (used >= ENOUGH_BYTES) flush();
    else timer ??= setTimeout(flush, GATHER_MS);
  };

  return {
    write: (line) => {
      gather(line);
      setImmediate(flush);
    },
    gather,
    finish: () => {
      const until = performance.now() + FAREWELL_MS;
      const pause = new Int32Array(new SharedArrayBuffer(4));
      while (flush() && performance.now() < until) Atomics.wait(pause, 0, 0, PAUSE_MS);
    },
  };
}

function countLines(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(LINE_END); at !== -1; at = bytes.indexOf(LINE_END, at + 1)) count += 1;
  return count;
}
