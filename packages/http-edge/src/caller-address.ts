import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { KmsError } from '@qnsp/kms-core';

/**
 * The address that a call comes from: the peer's, or, when the peer proves by the shared credential to be the gateway, the
 * one that the gateway says it has the call from. Without a configured credential nothing that a request says counts.
 *
 * @throws KmsError `UNAUTHORIZED` for a wrong gateway credential, `BAD_REQUEST` for a gateway that names no address: to
 *   take its own instead would let policies see the wrong one.
 */
export function callerAddress(
  { headers, socket }: Pick<IncomingMessage, 'headers' | 'socket'>,
  gatewayCredential: string | undefined,
): string | null {
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
export function knownAddress(
  incoming: Pick<IncomingMessage, 'headers' | 'socket'>,
  gatewayCredential: string | undefined,
): string | undefined {
  try {
    return callerAddress(incoming, gatewayCredential) ?? undefined;
  } catch (error) {
    if (!(error instanceof KmsError)) throw error;
    return incoming.socket.remoteAddress;
  }
}

/** Compares in a time that does not depend on where the two differ. */
function isSame(presented: string, expected: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(presented), digest(expected));
}
