import type { CredentialVerifier, Identity, PresentedCredentials } from '@qnsp/kms-core';
import { verifyCredentials } from '@qnsp/kms-core/internal';
import { andThen, type MaybePromise } from '@qnsp/kms-core/ports';

/** A credential that was checked no longer ago than this counts as checked now. */
const FRESH_MS = 100;

/**
 * Checks the credential of a request again if that was done too long ago. A client can let a request wait between its
 * headers and its body, or send many items at once, and a token that is revoked in between must not finish them. Begins
 * with a credential that was just checked.
 *
 * @param renewed gets what the credential stands for now: its permissions may have shrunk in between
 * @returns what throws `UNAUTHORIZED` for a credential that is no longer valid; without a promise if it was just
 * checked or is held in memory
 */
export function recheckCredential(
  verifiers: readonly CredentialVerifier[],
  presented: PresentedCredentials,
  renewed: (identity: Identity) => void,
): () => MaybePromise<void> {
  let seenAt = performance.now();
  return () => {
    const now = performance.now();
    if (now - seenAt <= FRESH_MS) return undefined;
    return andThen(verifyCredentials(verifiers, presented), (identity) => {
      renewed(identity);
      seenAt = now;
    });
  };
}
