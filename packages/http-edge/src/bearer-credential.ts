import { KmsError, type PresentedCredentials } from '@qnsp/kms-core';

const BEARER = /^Bearer +(\S+) *$/i;

/** The credential of an `authorization` header. Throws `UNAUTHORIZED` where it is none. */
export function bearerCredential(authorization: string | undefined): PresentedCredentials {
  const bearer = BEARER.exec(authorization ?? '')?.[1];
  if (bearer === undefined)
    throw new KmsError('UNAUTHORIZED', 'A bearer credential is needed: send "authorization: Bearer <API token>".');
  return { bearer };
}
