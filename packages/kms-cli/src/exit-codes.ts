/** How the command ended; those above 2 are of sysexits.h. */
export const EXIT = {
  done: 0,
  /** The service refused, or something failed that no other code names. */
  failed: 1,
  /** The command line is wrong. */
  usage: 64,
  /** The database or an HSM does not answer: the same command may work later. */
  unavailable: 69,
  /** The environment is wrong, or an HSM is not the one that it should be. */
  configuration: 78,
} as const;

/** A failure with the exit code that it ends with. The message is for people and holds no secret. */
export class CommandError extends Error {
  readonly exitCode: number;

  constructor(exitCode: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CommandError';
    this.exitCode = exitCode;
  }
}
