#!/usr/bin/env node
import { getSystemErrorMessage } from 'node:util';
import { EXIT, EXIT_CODE_OF_SIGNAL } from './terminal/exit-codes.ts';
import type { Terminal } from './terminal/io.ts';
import { run } from './run.ts';

const interruption = new AbortController();
const handlers = Object.entries(EXIT_CODE_OF_SIGNAL).map(
  ([signal, exitCode]) => [signal, () => interruption.abort(exitCode)] as const,
);
let isHeeded = false;
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // The reader of the output, such as `head`, wants no more of it.
  if (error.code === 'EPIPE') process.exit(EXIT.failed);
  process.stderr.write(
    `The result cannot be written: the system says "${getSystemErrorMessage(error.errno ?? 0)}" (${error.code}).\n`,
  );
  process.exit(EXIT.output);
});
// There is nobody left to tell.
process.stderr.on('error', () => process.exit(EXIT.output));

/** The properties of the terminal that shows results; colours as NO_COLOR, FORCE_COLOR and TERM ask for. */
function terminal(): Terminal | undefined {
  if (!process.stdout.isTTY) return undefined;
  return { columns: process.stdout.columns, colours: process.stdout.hasColors() };
}

const shownOn = terminal();
const exitCode = await run(process.argv.slice(2), {
  environment: process.env,
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  ...(shownOn === undefined ? {} : { terminal: shownOn }),
  pipes: {
    // Whatever touches it takes hold of the descriptor.
    get input() {
      return process.stdin;
    },
    inputDescriptor: 0,
    output: process.stdout,
    outputIsTerminal: process.stdout.isTTY,
    errorIsTerminal: process.stderr.isTTY,
  },
  get signal() {
    // What never asks for it, such as a check of evidence, is ended by the system's signals themselves.
    if (!isHeeded) for (const [signal, handler] of handlers) process.once(signal, handler);
    isHeeded = true;
    return interruption.signal;
  },
});
// What waits for a pipe that nobody reads or writes would keep the process alive.
if (interruption.signal.aborted) process.exit(exitCode);
process.exitCode = exitCode;
// From here on nothing heeds them.
for (const [signal, handler] of handlers) process.off(signal, handler);
