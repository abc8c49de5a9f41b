import type { Command } from 'commander';
import type { CommandIo } from '../terminal/io.ts';
import { formatOutput, type OutputFormat, type OutputStyle, type Row } from '../terminal/output.ts';

/** Adds one group of commands to the program. */
export type CommandGroup = (program: Command, io: CommandIo) => void;

/** The options of every command. */
export interface GlobalOptions {
  readonly output: OutputFormat;
  readonly columns?: readonly string[];
  readonly use?: string;
}

/** How the caller wants results. */
export function outputStyle(command: Command, io: CommandIo): OutputStyle {
  const { output, columns } = command.optsWithGlobals<GlobalOptions>();
  return { format: output, columns, width: io.terminal?.columns, colours: io.terminal?.colours ?? false };
}

/** Writes a result as the caller wants it. */
export function print<T>(
  io: CommandIo,
  command: Command,
  value: T,
  rows: (value: T) => readonly Row[],
  titles?: readonly string[],
): void {
  io.out(formatOutput(outputStyle(command, io), value, rows, titles));
}

/** Reports what the service did differently from the request, or left out. */
export function warn(io: CommandIo, warnings: readonly string[] = []): void {
  for (const warning of warnings) io.err(`Note: ${warning}\n`);
}

/** A table of columns: each title with its values. */
export type Columns<T> = Readonly<Record<string, (value: T) => Row[string]>>;

/** The row of a value. */
export function rowOf<T>(columns: Columns<T>): (value: T) => Row {
  return (value) => Object.fromEntries(Object.entries(columns).map(([title, of]) => [title, of(value)]));
}
