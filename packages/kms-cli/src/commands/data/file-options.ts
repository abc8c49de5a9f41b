import type { Command } from 'commander';
import { CommandError, EXIT } from '../../terminal/exit-codes.ts';
import { PIPE } from '../../files/place.ts';

export const ENCRYPTED = '.qnsp';

export interface OutputOptions {
  readonly out?: string;
  readonly force?: boolean;
}

/** Adds the option for the destination. */
export function withOutputOptions(command: Command, otherwise: string): Command {
  return command
    .option('--out <file>', `where to write the result, or - for standard output (default: ${otherwise})`)
    .option('--force', 'overwrite an existing file');
}

/** The given name, otherwise the source's with an ending; a pipe continues as a pipe. */
export function withEnding(source: string, ending: string, out: string | undefined): string {
  return out ?? (source === PIPE ? PIPE : `${source}${ending}`);
}

/** The given name, otherwise the source's without its ending. */
export function withoutEnding(source: string, ending: string, out: string | undefined): string {
  if (out !== undefined) return out;
  if (source === PIPE) return PIPE;
  if (source.endsWith(ending) && source.length > ending.length && !source.endsWith(`/${ending}`))
    return source.slice(0, -ending.length);
  throw new CommandError(EXIT.usage, `${source} does not end in ${ending}: say with --out where to write the result.`);
}
