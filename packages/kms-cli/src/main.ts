#!/usr/bin/env node
import { EXIT, EXIT_CODE_OF_SIGNAL } from './exit-codes.ts';
import { run } from './run.ts';

const interruption = new AbortController();
// Once: a second signal of a kind ends the process at once.
for (const [signal, exitCode] of Object.entries(EXIT_CODE_OF_SIGNAL))
  process.once(signal, () => {
    interruption.abort(exitCode);
  });
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // Whoever read the output, such as `head`, wants no more of it.
  if (error.code === 'EPIPE') process.exit(EXIT.failed);
  throw error;
});

process.exitCode = await run(process.argv.slice(2), {
  environment: process.env,
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  pipes: {
    input: process.stdin,
    output: process.stdout,
    inputIsTerminal: process.stdin.isTTY,
    outputIsTerminal: process.stdout.isTTY,
    errorIsTerminal: process.stderr.isTTY,
  },
  signal: interruption.signal,
});
