import type { Identity } from '../access/identity.ts';
import type { MaybePromise } from '../base/maybe-promise.ts';

/** All that one call presents to prove who makes it, as it was sent: nothing of it was judged yet. */
export interface PresentedCredentials {
  /** A secret that its bearer may use: an API token, a JWT. */
  readonly bearer?: string | undefined;
}

/** Checks one kind of credential. */
export interface CredentialVerifier {
  /**
   * Finds out whose credential it is: `undefined` when none of what is presented is of this kind, so that the next verifier
   * is asked. Without a promise where that is known in memory. Says the same of the same credential however often it is
   * asked, until it ends.
   *
   * @throws KmsError `UNAUTHORIZED` for a credential of this kind that does not hold, in the same words whatever is wrong with
   *   it: a `RefusedCredential` where it is known whose it was.
   */
  verify(presented: PresentedCredentials): MaybePromise<Identity | undefined>;
}
