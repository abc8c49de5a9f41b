import type { Identity, PresentedCredentials } from '@qnsp/kms-core';
import { holdsCredentials, KmsError, verifyCredentials } from '@qnsp/kms-core/internal';
import type { MaybePromise } from '@qnsp/kms-core/ports';
import type { Call } from './call.ts';
import { knownAddress } from './request-facts.ts';

/**
 * Finds out who makes a call. From an address from which too many credentials came that do not hold, only those are looked at that are held
 * in memory: others behind the same address go on as before.
 *
 * @throws KmsError `TOO_MANY_REQUESTS` before a credential from such an address is looked at; otherwise as `verifyCredentials`
 */
export function authenticate(call: Call, presented: PresentedCredentials): MaybePromise<Identity> {
  const { addressLimiter, verifiers } = call.edge;
  if (addressLimiter === undefined) return verifyCredentials(verifiers, presented);
  if (addressLimiter.isAlert && !holdsCredentials(verifiers, presented)) {
    const address = addressOf(call);
    if (address !== undefined) addressLimiter.admit(address);
  }
  try {
    const identity = verifyCredentials(verifiers, presented);
    return identity instanceof Promise ? identity.catch((error: unknown) => failed(call, error)) : identity;
  } catch (error) {
    return failed(call, error);
  }
}

function failed(call: Call, error: unknown): never {
  if (KmsError.is(error) && error.code === 'UNAUTHORIZED') {
    const address = addressOf(call);
    if (address !== undefined) call.edge.addressLimiter?.failed(address);
  }
  throw error;
}

/** Nothing where the call came by a socket file: from this machine alone, whose other programs it must not lock out. */
function addressOf({ incoming, edge }: Call): string | undefined {
  return knownAddress(incoming, edge.gatewayCredential);
}
