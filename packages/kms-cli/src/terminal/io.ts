import type { Readable, Writable } from 'node:stream';

/** What a command works with instead of the process itself. */
export interface CommandIo {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The context that the command line names. */
  readonly use?: string | undefined;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** What standard output is shown on; absent where that is no terminal. */
  readonly terminal?: Terminal | undefined;
  /** Where data is piped; commands that need it refuse without. */
  readonly pipes?: Pipes | undefined;
  /**
   * Ends the command; nothing is left of its output files. Its reason may be the exit code. A command that asks for it
   * must heed it wherever it waits: system signals end the process on their own only until then.
   */
  readonly signal?: AbortSignal | undefined;
}

/** Standard input and output as bytes, and what of them is a terminal. */
export interface Pipes {
  /** Only one of the two is read. */
  readonly input: Readable;
  readonly inputDescriptor: number;
  readonly output: Writable;
  readonly outputIsTerminal: boolean;
  readonly errorIsTerminal: boolean;
}

/** A terminal that shows results. */
export interface Terminal {
  readonly columns: number;
  readonly colours: boolean;
}
