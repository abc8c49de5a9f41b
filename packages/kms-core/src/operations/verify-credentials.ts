import type { Identity } from '../access/identity.ts';
import { notAuthorized } from '../access/refused-credential.ts';
import type { MaybePromise } from '../base/maybe-promise.ts';
import type { CredentialVerifier, PresentedCredentials } from '../ports/credential-verifier.ts';

/**
 * Finds out who makes a call, by the first verifier that knows what is presented. Without a promise where none is needed.
 *
 * @param first which of them is asked first
 * @throws KmsError `UNAUTHORIZED` when no verifier knows it, and whatever the one throws that does.
 */
export function verifyCredentials(
  verifiers: readonly CredentialVerifier[],
  presented: PresentedCredentials,
  first = 0,
): MaybePromise<Identity> {
  for (let at = first; at < verifiers.length; at += 1) {
    const found = verifiers[at]?.verify(presented);
    if (found instanceof Promise)
      return found.then((identity) => identity ?? verifyCredentials(verifiers, presented, at + 1));
    if (found !== undefined) return found;
  }
  throw notAuthorized();
}
