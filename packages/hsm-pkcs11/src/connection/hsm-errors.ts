import { KmsError } from '@qnsp/kms-core';
import { decryptFailed } from '@qnsp/kms-core/internal';
import { HsmConfigurationError } from '../configuration/configuration-error.ts';
import { CKR } from '../protocol/cryptoki.ts';
import type { Fault } from '../protocol/messages.ts';
import { ChildFault, ChildGone } from './child-connection.ts';
import { DeadlinePassed } from './deadline.ts';
import { LanesBusy } from './lane-pool.ts';

/** The token refused the PIN, or will refuse it whatever it is. */
const PIN_REFUSED: readonly number[] = [
  CKR.pinIncorrect,
  CKR.pinInvalid,
  CKR.pinLenRange,
  CKR.pinExpired,
  CKR.pinLocked,
  CKR.userPinNotInitialized,
];

/** After these only a new C_Initialize helps, so the process of the module is replaced. */
const NEEDS_NEW_PROCESS: readonly number[] = [
  CKR.slotIdInvalid,
  CKR.generalError,
  CKR.deviceError,
  CKR.deviceRemoved,
  CKR.tokenNotPresent,
  CKR.tokenNotRecognized,
  CKR.cryptokiNotInitialized,
];

const UNAVAILABLE: readonly number[] = [
  ...NEEDS_NEW_PROCESS,
  CKR.hostMemory,
  CKR.functionFailed,
  CKR.deviceMemory,
  CKR.functionCanceled,
  CKR.sessionClosed,
  CKR.sessionCount,
  CKR.sessionHandleInvalid,
  CKR.operationActive,
  CKR.operationNotInitialized,
  CKR.userNotLoggedIn,
  ...PIN_REFUSED,
];

const NOT_FOUND: readonly number[] = [CKR.objectHandleInvalid, CKR.keyHandleInvalid];
const DECRYPT_FAILED: readonly number[] = [CKR.encryptedDataInvalid, CKR.encryptedDataLenRange, CKR.aeadDecryptFailed];

/** The 503 of an HSM. */
export function hsmUnavailable(hsmId: string, reason: string, waitMs: number, cause?: unknown): KmsError {
  return new KmsError('HSM_UNAVAILABLE', `The HSM ${hsmId} cannot be used now: ${reason}.`, {
    retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1000)),
    details: { provider: hsmId },
    cause,
  });
}

export function isPinRefusal(error: unknown): boolean {
  return error instanceof ChildFault && isCkrOf(error.fault, PIN_REFUSED);
}

export function isLoggedOut(error: unknown): boolean {
  return error instanceof ChildFault && isCkrOf(error.fault, [CKR.userNotLoggedIn]);
}

/** The token says that a key is not there. */
export function isAbsent(error: unknown): boolean {
  return error instanceof ChildFault && (error.fault.type === 'not-found' || isCkrOf(error.fault, NOT_FOUND));
}

function needsNewProcess(error: unknown): boolean {
  return error instanceof ChildFault && isCkrOf(error.fault, NEEDS_NEW_PROCESS);
}

/** Whether a call failed before the token heard of it: refused, or without a connection. */
export function wasNeverAsked(error: unknown): error is KmsError {
  if (!KmsError.is(error) || error.code !== 'HSM_UNAVAILABLE') return false;
  const { cause } = error;
  if (cause instanceof ChildFault) return ['driver', 'module', 'initialise', 'slot'].includes(cause.fault.type);
  return cause === undefined || cause instanceof LanesBusy || cause instanceof HsmConfigurationError;
}

/**
 * What the other calls are told when a process is ended because of one call's error: they were in progress, and may
 * have been carried out.
 */
export function goneFor(reason: Error): ChildGone {
  if (reason instanceof ChildGone) return reason;
  if (reason instanceof DeadlinePassed) return new ChildGone('The module did not answer in time.');
  return new ChildGone(`The process of the PKCS #11 module was ended: ${reason.message}`);
}

/** Whether a call failed by an answer of the token itself, not of what lies before it, so that it is over. */
export function hasAnswered(error: unknown): error is KmsError {
  return KmsError.is(error) && error.cause instanceof ChildFault && !needsNewProcess(error.cause);
}

/**
 * What a caller is told about a failed call. Anything that is not a fault of the token means that its process is gone.
 */
export function callError(hsmId: string, error: Error): KmsError {
  if (KmsError.is(error)) return error;
  if (!(error instanceof ChildFault)) return hsmUnavailable(hsmId, 'its module does not answer', 1000, error);
  const { fault } = error;
  switch (fault.type) {
    case 'not-found':
      return notFound(hsmId, error);
    case 'corrupt':
      return hsmUnavailable(hsmId, 'it returned a result that fails its check', 1000, error);
    case 'ckr':
      if (NOT_FOUND.includes(fault.code)) return notFound(hsmId, error);
      if (DECRYPT_FAILED.includes(fault.code)) return decryptFailed(error);
      if (UNAVAILABLE.includes(fault.code)) return hsmUnavailable(hsmId, `it answered ${fault.name}`, 1000, error);
      return internal(hsmId, fault.name, error);
    case 'driver':
    case 'module':
    case 'initialise':
    case 'slot':
      // The call was the first to need a new connection; what is only away for now must not look like a mistake.
      return hsmUnavailable(hsmId, `it cannot be reached (${firstLine(fault.message)})`, 1000, error);
    case 'ambiguous':
    case 'weakened':
      return internal(hsmId, 'one of its keys does not have the attributes it was created with', error);
    default:
      return internal(hsmId, 'its module failed', error);
  }
}

/** What is said about a connection that could not be made for the first time. */
export function configurationError(modulePath: string, error: unknown): HsmConfigurationError | null {
  if (error instanceof HsmConfigurationError) return error;
  if (!(error instanceof ChildFault)) return null;
  const { fault } = error;
  const options = { cause: error };
  switch (fault.type) {
    case 'driver':
      return new HsmConfigurationError(
        'driver',
        `The native part of pkcs11js is not built for this machine (${firstLine(fault.message)}). It needs a C++ compiler, make and Python.`,
        options,
      );
    case 'module':
      return new HsmConfigurationError(
        'module',
        `The PKCS #11 module ${modulePath} cannot be loaded: ${firstLine(fault.message)}`,
        options,
      );
    case 'initialise':
      return new HsmConfigurationError(
        'initialise',
        `The PKCS #11 module ${modulePath} cannot be initialised (${fault.message}). Check that it finds its own configuration (for SoftHSM, the file that SOFTHSM2_CONF names) and what that refers to.`,
        options,
      );
    case 'slot':
      return new HsmConfigurationError('slot', `${modulePath}: ${fault.message}`, options);
    case 'ckr':
      return isCkrOf(fault, PIN_REFUSED) ? pinRefused(modulePath, fault.name, options) : null;
    default:
      return null;
  }
}

export function pinRefused(modulePath: string, reason: string, options?: ErrorOptions): HsmConfigurationError {
  return new HsmConfigurationError(
    'pin',
    `${modulePath}: the token refused the PIN (${reason}). It is not tried again, because tokens lock; correct the PIN and restart.`,
    options,
  );
}

/** Whether the process of the module is unusable after this error of a call. */
export function endsProcess(error: unknown): boolean {
  return error instanceof DeadlinePassed || error instanceof HsmConfigurationError || needsNewProcess(error);
}

export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function isCkrOf(fault: Fault, codes: readonly number[]): boolean {
  return fault.type === 'ckr' && codes.includes(fault.code);
}

function notFound(hsmId: string, cause: unknown): KmsError {
  return new KmsError('NOT_FOUND', `The HSM ${hsmId} no longer holds this key.`, { cause });
}

function internal(hsmId: string, reason: string, cause: unknown): KmsError {
  return new KmsError('INTERNAL_ERROR', `The HSM ${hsmId} could not do this: ${reason}.`, { cause });
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? text;
}
