import {
  authenticateToken,
  KmsError,
  type Kms,
  type MaybePromise,
  notAuthorized,
  TOKEN_PREFIX,
  type TokenIdentity,
} from '@qnsp/kms-core';

const BEARER = /^Bearer +(\S+) *$/i;

/** Finds out whose credential a request presents, without a promise when it is known. Throws `UNAUTHORIZED`. */
export function identify(kms: Kms, authorization: string | undefined): MaybePromise<TokenIdentity> {
  const credential = BEARER.exec(authorization ?? '')?.[1];
  if (credential === undefined)
    throw new KmsError('UNAUTHORIZED', 'A bearer credential is needed: send "authorization: Bearer <API token>".');
  if (!credential.startsWith(TOKEN_PREFIX)) throw notAuthorized();
  return authenticateToken(kms, credential);
}
