import type { Readable, Writable } from 'node:stream';

/** What a command works with instead of the process itself. */
export interface CommandIo {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Where data is piped; commands that need it refuse without. */
  readonly pipes?: Pipes;
  /**
   * Ends the command; nothing is left of its output files. Its reason may be the exit code. Who asks for it has to heed it wherever
   * it waits: the signals of the system end the process by themselves only until then.
   */
  readonly signal?: AbortSignal;
}

/** Standard input and output as bytes, and what of them is a terminal. */
export interface Pipes {
  readonly input: Readable;
  readonly output: Writable;
  readonly inputIsTerminal: boolean;
  readonly outputIsTerminal: boolean;
  readonly errorIsTerminal: boolean;
}
