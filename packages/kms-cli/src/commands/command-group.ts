import type { Command } from 'commander';
import type { CommandIo } from '../io.ts';
import type { OutputFormat } from '../output.ts';

/** Adds one group of commands to the program. */
export type CommandGroup = (program: Command, io: CommandIo) => void;

/** How the caller wants results. */
export function outputFormat(command: Command): OutputFormat {
  // The option takes nothing but these.
  return command.optsWithGlobals<{ output: OutputFormat }>().output;
}
