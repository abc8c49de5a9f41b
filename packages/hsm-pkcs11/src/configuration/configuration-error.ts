/** What is wrong with the configuration of an HSM, or with what it was pointed at. */
export type HsmConfigurationProblem =
  /** A value of the configuration is out of its range. */
  | 'value'
  /** The native part of pkcs11js was not built on this machine. */
  | 'driver'
  /** The module is not a PKCS #11 library that can be loaded. */
  | 'module'
  /** The module cannot be initialised: its own configuration is missing or wrong, or what it refers to is away. */
  | 'initialise'
  /** No initialised token in the slot, or more than one that matches. */
  | 'slot'
  /** The token refused the PIN; it is not tried again for the lifetime of this process. */
  | 'pin'
  /** The token lacks a mechanism that a root needs. */
  | 'mechanism'
  | 'root-not-found'
  | 'root-ambiguous'
  /** An attribute of the root allows what a root must not allow. */
  | 'root-weakened'
  | 'root-exists';

/**
 * A configuration error that no retry fixes. The service ends with exit code 78; the message names the HSM and what to
 * set. Holds no PIN.
 */
export class HsmConfigurationError extends Error {
  readonly problem: HsmConfigurationProblem;

  constructor(problem: HsmConfigurationProblem, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'HsmConfigurationError';
    this.problem = problem;
  }
}
