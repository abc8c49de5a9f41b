import { KmsClientError } from '../errors/kms-client-error.ts';

/** What OpenSSL, or what is above it, calls a failure, and what that means for who calls. */
const TLS_FAILURES: readonly (readonly [RegExp, string])[] = [
  [
    /^(?:DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_\w*(?:ISSUER|VERIFY)\w*|CERT_UNTRUSTED|INVALID_CA)$/,
    'The certificate of the service is of an authority that is not trusted here. Trust its authority, and check that the service sends the certificates that lead to it',
  ],
  [
    /^ERR_TLS_CERT_ALTNAME_INVALID$/,
    'The certificate of the service is for another name than the one in baseUrl. Use a name that is in it, or say which one to expect',
  ],
  [
    /^CERT_HAS_EXPIRED$/,
    'The certificate of the service has expired. Have it renewed, and check the clock of this machine',
  ],
  [
    /^CERT_NOT_YET_VALID$/,
    'The certificate of the service is not valid yet. Check the clocks of this machine and of the service',
  ],
  [
    /^CERT_(?:REVOKED|REJECTED)|^CRL_/,
    'The certificate of the service is revoked, or nobody can tell. Have it replaced',
  ],
  [
    /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST/,
    'What answers at baseUrl does not speak TLS. Begin baseUrl with http:// where something else protects the network, or correct the port',
  ],
  [
    /ALERT_(?:UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_\w+|UNSUPPORTED_CERTIFICATE|NO_CERTIFICATE)/,
    'The service does not accept the certificate of this client. Use one that is valid and of an authority that the service trusts',
  ],
  [
    /HANDSHAKE_FAILURE|PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|NO_SUITABLE|INSUFFICIENT_SECURITY|NO_APPLICATION_PROTOCOL/,
    'The service has no version, cipher or group for key agreement in common with this client. It may ask for TLS 1.3 and a post-quantum group, which OpenSSL has from 3.5 on: use a newer runtime',
  ],
];

const OPENSSL_REASON = /:SSL routines:[^:]*:([\w /]+):/;
const SPEAKS_TLS = 'What answers at baseUrl speaks TLS. Begin baseUrl with https://';

/** Why there was no answer: `TLS_FAILED` where trying again cannot help, or `UNREACHABLE`. */
export function connectionFailure(error: unknown, requestId: string): KmsClientError {
  const code = codeOf(error);
  const reason = code === undefined ? '' : ` (${code})`;
  const [, meaning] = TLS_FAILURES.find(([pattern]) => code !== undefined && pattern.test(code)) ?? [];
  if (meaning !== undefined) return new KmsClientError('TLS_FAILED', `${meaning}${reason}.`, { requestId });
  return new KmsClientError(
    'UNREACHABLE',
    `The service did not answer${reason}. Check that it runs and that baseUrl is right.`,
    { requestId, retryable: true },
  );
}

/** What answers HTTP in the clear under TLS says so in its own words, which are not those of the service. */
export function plainTextFailure(
  url: string,
  statusCode: number,
  text: string | undefined,
  requestId: string,
): KmsClientError | undefined {
  if (statusCode !== 400 || !url.startsWith('http:') || !/speaks TLS|to HTTPS port/.test(text ?? '')) return undefined;
  return new KmsClientError('TLS_FAILED', `${SPEAKS_TLS}.`, { requestId, statusCode });
}

/** What the system or OpenSSL says, such as ECONNREFUSED; nothing else of the error, which may quote a header. */
function codeOf(error: unknown): string | undefined {
  const cause = error instanceof Error ? (error.cause ?? error) : undefined;
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined;
  // Where the handshake failed while something was written, only the text has the reason of OpenSSL.
  const [, reason] = (code === 'EPROTO' && cause instanceof Error && OPENSSL_REASON.exec(cause.message)) || [];
  const name = reason === undefined ? code : reason.toUpperCase().replaceAll(' ', '_');
  return typeof name === 'string' && /^[A-Z][A-Z0-9_/]{1,80}$/.test(name) ? name : undefined;
}
