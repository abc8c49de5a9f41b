import { KmsError, type PresentedCertificate, type PresentedCredentials } from '@qnsp/kms-core';

const BEARER = /^Bearer +(\S+) *$/i;

/**
 * The credential of an `authorization` header, with the certificate of the connection. Throws `UNAUTHORIZED` where the header is no
 * credential, or is missing without a certificate.
 */
export function bearerCredential(
  authorization: string | undefined,
  certificate?: PresentedCertificate,
): PresentedCredentials {
  if (authorization === undefined && certificate !== undefined) return { certificate };
  const bearer = BEARER.exec(authorization ?? '')?.[1];
  if (bearer === undefined)
    throw new KmsError('UNAUTHORIZED', 'A bearer credential is needed: send "authorization: Bearer <API token>".');
  return certificate === undefined ? { bearer } : { bearer, certificate };
}
