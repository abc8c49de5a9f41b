import { andThen, type CredentialVerifier, type MaybePromise } from '@qnsp/kms-core';
import { identify } from './authenticate.ts';

/** A credential that was looked at no longer ago than this counts as looked at now. */
const FRESH_MS = 100;

/**
 * Looks at the credential of a request once more when that was done too long ago. A client can let a request wait between
 * its headers and its body, or send many items at once, and a token that is revoked meanwhile must not finish them.
 * Begins with a credential that was looked at now.
 *
 * @returns what throws `UNAUTHORIZED` for a credential that is not valid any more; without a promise when it was looked at
 *   just now or is held in memory
 */
export function identifyAgain(
  verifiers: readonly CredentialVerifier[],
  authorization: string | undefined,
): () => MaybePromise<void> {
  let seenAt = performance.now();
  return () => {
    const now = performance.now();
    if (now - seenAt <= FRESH_MS) return undefined;
    return andThen(identify(verifiers, authorization), () => {
      seenAt = now;
    });
  };
}
