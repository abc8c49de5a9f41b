import { type CredentialVerifier, type Identity, KmsError, type MaybePromise, verifyCredentials } from '@qnsp/kms-core';

const BEARER = /^Bearer +(\S+) *$/i;

/** Finds out whose credential a request presents, without a promise when it is known. Throws `UNAUTHORIZED`. */
export function identify(
  verifiers: readonly CredentialVerifier[],
  authorization: string | undefined,
): MaybePromise<Identity> {
  const bearer = BEARER.exec(authorization ?? '')?.[1];
  if (bearer === undefined)
    throw new KmsError('UNAUTHORIZED', 'A bearer credential is needed: send "authorization: Bearer <API token>".');
  return verifyCredentials(verifiers, { bearer });
}
