import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { getCACertificates } from 'node:tls';

const LEAST_RSA_BITS = 2048;
const LEAST_EC_BITS = 256;
const SERVER_AUTHENTICATION = '1.3.6.1.5.5.7.3.1';

/** A private key in PEM, or what is wrong with it. */
export function readKey(pem: string, passphrase: string | undefined): KeyObject | { readonly problem: string } {
  try {
    return createPrivateKey({ key: pem, ...(passphrase === undefined ? {} : { passphrase }) });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (code === 'ERR_MISSING_PASSPHRASE' || (passphrase === undefined && /^-----BEGIN ENCRYPTED/m.test(pem)))
      return { problem: 'the key is encrypted: set KMS_TLS_KEY_PASSPHRASE_FILE, or decrypt it' };
    if (passphrase !== undefined)
      return {
        problem: 'the key cannot be read with KMS_TLS_KEY_PASSPHRASE: check the passphrase, and that it is a key',
      };
    return { problem: 'the file holds no private key in PEM, which begins with -----BEGIN PRIVATE KEY-----' };
  }
}

/**
 * What keeps a certificate, with those that lead to its authority, from being shown to clients; `undefined` where nothing does.
 *
 * @param chain the certificate of the service first
 */
export function chainProblem(chain: readonly X509Certificate[], now: Date): string | undefined {
  for (const [index, certificate] of chain.entries()) {
    const problem =
      periodProblem(certificate, now) ?? strengthProblem(certificate) ?? orderProblem(certificate, chain[index + 1]);
    if (problem !== undefined)
      return `${index === 0 ? 'the certificate' : `certificate ${index + 1} of the file`} ${problem}`;
  }
  const [own] = chain;
  const uses: readonly string[] | undefined = own?.keyUsage;
  if (uses !== undefined && !uses.includes(SERVER_AUTHENTICATION))
    return 'the certificate is not for servers: its extended key usage lacks serverAuth';
  return undefined;
}

function periodProblem({ validFromDate, validToDate }: X509Certificate, now: Date): string | undefined {
  if (validToDate <= now) return `expired at ${validToDate.toISOString()}: renew it`;
  if (validFromDate > now) return `is not valid before ${validFromDate.toISOString()}: check the clock of this machine`;
  return undefined;
}

function strengthProblem(certificate: X509Certificate): string | undefined {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = certificate.publicKey;
  const { modulusLength = LEAST_RSA_BITS, namedCurve = '' } = details ?? {};
  if (modulusLength < LEAST_RSA_BITS)
    return `is weak: its RSA key has ${modulusLength} bits, and needs ${LEAST_RSA_BITS}`;
  const [curveBits] = /\d{3}/.exec(namedCurve) ?? [];
  if (type === 'ec' && curveBits !== undefined && Number(curveBits) < LEAST_EC_BITS)
    return `is weak: its key is on the curve ${namedCurve}, and needs ${LEAST_EC_BITS} bits`;
  // Nobody verifies the signature of an authority by itself.
  if (!isSelfIssued(certificate) && /md5|sha1/i.test(certificate.signatureAlgorithm ?? ''))
    return `is weak: it is signed with ${certificate.signatureAlgorithm}`;
  return undefined;
}

/** Clients are only given what is in the file, so it must lead to an authority that they may know. */
function orderProblem(certificate: X509Certificate, next: X509Certificate | undefined): string | undefined {
  const issuer = certificate.issuer.replaceAll('\n', ', ');
  if (next !== undefined)
    return certificate.checkIssued(next) && certificate.verify(next.publicKey)
      ? undefined
      : `was issued by ${issuer}, but the next one in the file is another: put the certificate of the service first, and after each one that of its issuer`;
  // Where an authority says from where its certificate can be had, clients that do not ask there lack it.
  const isFetched = /^CA Issuers/m.test(certificate.infoAccess ?? '');
  if (!isFetched || isSelfIssued(certificate) || isKnownRoot(certificate)) return undefined;
  return `was issued by ${issuer}, which is not in the file: append the certificates that lead to the authority`;
}

function isSelfIssued(certificate: X509Certificate): boolean {
  return certificate.checkIssued(certificate);
}

function isKnownRoot(certificate: X509Certificate): boolean {
  return (['bundled', 'system'] as const).some((store) =>
    getCACertificates(store).some((pem) => certificate.checkIssued(new X509Certificate(pem))),
  );
}
