import { createHash, randomUUID, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import { KmsError, type PresentedCredentials } from '@qnsp/kms-core';
import type { PresentedCertificate } from '@qnsp/kms-core/ports';
import type { RequestHead } from './request-head.ts';

type Head = Pick<RequestHead, 'headers' | 'socket'>;

const SANE_ID = /^[\w.:-]{1,128}$/;
const BEARER = /^Bearer +(\S+) *$/i;

/** The client's request id when it is a sane token, else a new one. */
export function requestId(header: string | string[] | undefined): string {
  return typeof header === 'string' && SANE_ID.test(header) ? header : randomUUID();
}

/**
 * The bearer credential that a request presents, with the certificate of its connection. Throws `UNAUTHORIZED` where its
 * `authorization` is no credential, or is missing without a certificate.
 */
export function bearerCredential(
  { headers: { authorization } }: Pick<RequestHead, 'headers'>,
  certificate?: PresentedCertificate,
): PresentedCredentials {
  if (authorization === undefined && certificate !== undefined) return { certificate };
  const bearer = BEARER.exec(authorization ?? '')?.[1];
  if (bearer === undefined)
    throw new KmsError('UNAUTHORIZED', 'A bearer credential is needed: send "authorization: Bearer <API token>".');
  return certificate === undefined ? { bearer } : { bearer, certificate };
}

/**
 * The address that a call comes from: the peer's, or, when the peer proves by the shared credential to be the gateway, the
 * one that the gateway says it has the call from. Without a configured credential nothing that a request says counts.
 *
 * @throws KmsError `UNAUTHORIZED` for a wrong gateway credential, `BAD_REQUEST` for a gateway that names no address: to
 *   take its own instead would let policies see the wrong one.
 */
export function callerAddress({ headers, socket }: Head, gatewayCredential: string | undefined): string | null {
  const presented = headers['x-qnsp-gateway-credential'];
  if (gatewayCredential === undefined || presented === undefined || presented === '')
    return socket.remoteAddress ?? null;
  if (!isSame(String(presented), gatewayCredential))
    throw new KmsError('UNAUTHORIZED', 'The gateway presents a credential other than KMS_GATEWAY_CREDENTIAL.');
  // The gateway replaces what came to it, so there is one address; of a list the last is what the gateway itself saw.
  const address = String(headers['x-forwarded-for'] ?? '')
    .split(',')
    .at(-1)
    ?.trim();
  if (address === undefined || isIP(address) === 0)
    throw new KmsError('BAD_REQUEST', 'The gateway must say in x-forwarded-for where the call comes from.');
  return address;
}

/** The address of a call for the log: where the gateway does not say it, or is not the gateway, the peer's. */
export function knownAddress(incoming: Head, gatewayCredential: string | undefined): string | undefined {
  try {
    return callerAddress(incoming, gatewayCredential) ?? undefined;
  } catch (error) {
    if (!KmsError.is(error)) throw error;
    return incoming.socket.remoteAddress;
  }
}

/** Compares in a time that does not depend on where the two differ. */
function isSame(presented: string, expected: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(presented), digest(expected));
}
