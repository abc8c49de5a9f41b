import { type Stats, statSync } from 'node:fs';
import { CommandError, EXIT } from '../terminal/exit-codes.ts';
import { explainSystemError } from '../terminal/explain-error.ts';
import type { CommandIo, Pipes } from '../terminal/io.ts';

/** Standard input or output, as an argument names it. */
export const PIPE = '-';

/** Where data comes from: a file, or standard input. */
export type Source = { readonly kind: 'file'; readonly path: string; readonly size: number | undefined } | PipeEnd;
/** Where data goes: a file, or standard output. */
export type Destination = { readonly kind: 'file'; readonly path: string; readonly overwrite: boolean } | PipeEnd;

interface PipeEnd {
  readonly kind: 'pipe';
  readonly pipes: Pipes;
}

/** @param path a file, or `-` */
export function sourceOf(path: string, io: CommandIo): Source {
  if (path === PIPE) return { kind: 'pipe', pipes: pipesOf(io) };
  const facts = statSync(path);
  if (facts.isDirectory()) throw new CommandError(EXIT.input, `${path} is a directory: name a file.`);
  return { kind: 'file', path, size: facts.isFile() ? facts.size : undefined };
}

/**
 * @param path a file, or `-`
 * @param isText whether a person may see it on a terminal
 * @throws CommandError for anything that a file cannot replace.
 */
export function destinationOf(path: string, overwrite: boolean, io: CommandIo, isText = false): Destination {
  if (path === PIPE) {
    const pipes = pipesOf(io);
    if (pipes.outputIsTerminal && !isText)
      throw new CommandError(EXIT.usage, 'Binary output cannot go to a terminal: name a file with --out, or pipe it.');
    return { kind: 'pipe', pipes };
  }
  const facts = factsOfOutput(path);
  // A finished file replaces whatever has its name: a device or a pipe must not be replaced.
  if (facts !== undefined && !facts.isFile())
    throw new CommandError(EXIT.output, `${path} is not a file: use --out - and redirect the output there.`);
  if (facts !== undefined && !overwrite)
    throw new CommandError(EXIT.output, `${path} already exists: use --force to replace it, or another --out.`);
  return { kind: 'file', path, overwrite };
}

function factsOfOutput(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw explainSystemError(error, true) ?? error;
  }
}

function pipesOf(io: CommandIo): Pipes {
  if (io.pipes !== undefined) return io.pipes;
  throw new CommandError(EXIT.usage, 'Standard input and output are not available here: name a file.');
}
