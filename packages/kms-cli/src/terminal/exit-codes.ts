/** How the command ended; those from 64 to 78 are of sysexits.h. docs/cli.md says the same to people. */
export const EXIT = {
  done: 0,
  /** The service refused, or something failed that no other code names. */
  failed: 1,
  /** The command line is wrong. */
  usage: 64,
  /**
   * The input is not what it must be: cut off, changed, belonging to another key or context, or with an invalid
   * signature.
   */
  data: 65,
  /** An input file cannot be read. */
  input: 66,
  /** The service, its database or an HSM does not answer: the same command may work later. */
  unavailable: 69,
  /** A fault of the program itself. */
  fault: 70,
  /** An output file cannot be written, or already exists. */
  output: 73,
  /** The system failed at something that no other code names. */
  system: 74,
  /** The service asks to slow down: the same command works later. */
  busy: 75,
  /** The token is not accepted, or may not do this. */
  denied: 77,
  /** The environment is wrong, or an HSM is not the one that it should be. */
  configuration: 78,
  /** The terminal is gone (SIGHUP). */
  hungUp: 129,
  /** Ctrl-C. */
  interrupted: 130,
  /** Somebody ended it (SIGTERM). */
  terminated: 143,
} as const;

/** The exit code of a command interrupted by a signal, as a shell counts it. */
export const EXIT_CODE_OF_SIGNAL = { SIGHUP: EXIT.hungUp, SIGINT: EXIT.interrupted, SIGTERM: EXIT.terminated } as const;

/** A failure with the exit code that it ends with. The message is for people and holds no secret. */
export class CommandError extends Error {
  readonly exitCode: number;

  constructor(exitCode: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CommandError';
    this.exitCode = exitCode;
  }
}
