import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { PresentedCertificate } from '@qnsp/kms-core/ports';

/** What the clients of connections have proven to be, looked at once for each connection. */
const PRESENTED = new WeakMap<object, PresentedCertificate>();
/** Why nothing is served on a connection whose client presented a certificate that does not hold. */
const REFUSED = new WeakMap<object, string>();

/** What the client of this connection has proven to be by a certificate; `undefined` where it presented none. */
export function certificateOf(socket: object): PresentedCertificate | undefined {
  return PRESENTED.get(socket);
}

/** Why nothing is served on this connection, `undefined` where that is not so. */
export function refusedCertificate(socket: object): string | undefined {
  return REFUSED.get(socket);
}

/**
 * Looks at the certificate of a client whose connection has just been made. One that does not hold is no credential, and a client
 * that has it would not know why it is nobody: so nothing is served to it at all.
 */
export function meetClient(socket: TLSSocket, failed: (reason: string, address: string | undefined) => void): void {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return;
  if (socket.authorized) {
    PRESENTED.set(socket, presentedOf(certificate));
    return;
  }
  // Node says the code of OpenSSL; its types say an error.
  const reason = String(socket.authorizationError);
  REFUSED.set(socket, reason);
  failed(`client certificate: ${reason}`, socket.remoteAddress);
}

/** The names in a certificate. */
function presentedOf(certificate: X509Certificate): PresentedCertificate {
  const names = alternativeNames(certificate.subjectAltName ?? '');
  const of = (kind: string) => names.filter(([name]) => name === kind).map(([, value]) => value);
  // The object of its names, which knows how they are quoted; a name that occurs more than once is a list.
  const { CN } = certificate.toLegacyObject().subject as { readonly CN?: string | readonly string[] };
  return {
    uris: of('URI'),
    dnsNames: of('DNS'),
    emails: of('email'),
    commonName: typeof CN === 'string' ? CN : undefined,
    fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    notBefore: certificate.validFromDate.getTime(),
    notAfter: certificate.validToDate.getTime(),
  };
}

/**
 * The kinds and values of alternative names as Node writes them: separated by a comma and a blank, and in the form of a JSON string
 * where a value has a character by which it could pass for several.
 */
function alternativeNames(text: string): readonly (readonly [string, string])[] {
  const names: (readonly [string, string])[] = [];
  const name = /([^:]+):("(?:[^"\\]|\\.)*"|[^,"]*)(?:, |$)/gy;
  for (let found = name.exec(text); found !== null; found = name.exec(text)) {
    const [, kind = '', value = ''] = found;
    names.push([kind, value.startsWith('"') ? String(JSON.parse(value)) : value]);
    if (name.lastIndex === text.length) return names;
  }
  // A text that is not of this form is one that nobody reads names out of.
  return text === '' ? names : [];
}
