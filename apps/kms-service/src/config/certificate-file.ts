import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ConfigurationError } from './configuration-error.ts';

const CERTIFICATE = /-----BEGIN (?:TRUSTED )?CERTIFICATE-----[\s\S]*?-----END (?:TRUSTED )?CERTIFICATE-----/g;

/**
 * The content of a PEM file that a variable names. Throws `ConfigurationError` when it cannot be read or holds no
 * certificate.
 */
export function readCertificate(variable: string, path: string): string {
  const refuse = (reason: string) => new ConfigurationError([{ variable, reason }]);
  let pem: string;
  try {
    pem = readFileSync(path, 'utf8');
  } catch (cause) {
    throw refuse(`${path} cannot be read (${cause instanceof Error ? cause.message : 'unknown reason'})`);
  }
  const certificates = certificatesIn(pem);
  if (certificates.length === 0)
    throw refuse(`${path} holds no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----`);
  for (const [index, certificate] of certificates.entries()) {
    const problem = problemOf(certificate);
    const which = certificates.length === 1 ? 'the certificate' : `certificate ${index + 1}`;
    if (problem !== undefined) throw refuse(`${which} in ${path} cannot be read (${problem})`);
  }
  return pem;
}

/** The certificates in a PEM text, one by one. */
export function certificatesIn(pem: string): readonly string[] {
  return pem.match(CERTIFICATE) ?? [];
}

function problemOf(certificate: string): string | undefined {
  try {
    return new X509Certificate(certificate).raw.length === 0 ? 'it is empty' : undefined;
  } catch (cause) {
    return cause instanceof Error ? cause.message : 'unknown reason';
  }
}
