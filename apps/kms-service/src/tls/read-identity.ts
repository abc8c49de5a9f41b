import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { secureContextOptions, type TlsIdentity } from '@qnsp/http-edge';
import { certificatesIn, readCertificate } from '../config/certificate-file.ts';
import { ConfigurationError } from '../config/configuration-error.ts';
import type { TlsConfig } from '../config/read-transport.ts';
import { chainProblem, readKey } from './check-certificates.ts';

/** What the files of TLS hold, found to fit together. */
export interface CheckedIdentity {
  readonly identity: TlsIdentity;
  /** Who it says that the service is. */
  readonly subject: string;
  readonly issuer: string;
  /** When the first certificate of the file ends that it depends on. */
  readonly validUntil: Date;
}

/**
 * Reads the files of TLS.
 *
 * @throws ConfigurationError with the first reason why clients could not be served with them, by the name of its variable
 */
export function readIdentity(config: TlsConfig, now: Date): CheckedIdentity {
  const { certFile, keyFile, keyPassphrase: passphrase, clientCaFile, crlFile } = config;
  const { minVersion, groups, approvedOnly } = config;
  tryContext(
    'KMS_TLS_GROUPS',
    { ecdhCurve: groups },
    'must be names of groups that OpenSSL knows, separated by colons',
  );
  const certificate = readCertificate('KMS_TLS_CERT_FILE', certFile);
  const chain = certificatesIn(certificate).map((pem) => new X509Certificate(pem));
  const key = readText('KMS_TLS_KEY_FILE', keyFile);
  const read = readKey(key, passphrase);
  if ('problem' in read) throw refuse('KMS_TLS_KEY_FILE', `${keyFile}: ${read.problem}`);
  const [own] = chain;
  // A file without any is refused when it is read.
  if (own === undefined) throw refuse('KMS_TLS_CERT_FILE', `${certFile} holds no certificate`);
  if (!own.checkPrivateKey(read))
    throw refuse('KMS_TLS_KEY_FILE', `${keyFile} is not the key of the certificate in ${certFile}`);
  const problem = chainProblem(chain, now);
  if (problem !== undefined) throw refuse('KMS_TLS_CERT_FILE', `${certFile}: ${problem}`);
  const clientAuthorities = clientCaFile === undefined ? undefined : readAuthorities(clientCaFile);
  const revocations = crlFile === undefined ? undefined : readText('KMS_TLS_CRL_FILE', crlFile);
  if (revocations !== undefined)
    tryContext('KMS_TLS_CRL_FILE', { crl: revocations }, `${crlFile} holds no list of revoked certificates in PEM`);
  const identity: TlsIdentity = { certificate, key, passphrase, clientAuthorities, revocations };
  const options = secureContextOptions({ identity, minVersion, groups, approvedOnly });
  tryContext('KMS_TLS_CERT_FILE', options, `OpenSSL does not take ${certFile} and ${keyFile}`);
  const validUntil = new Date(Math.min(...chain.map(({ validToDate }) => validToDate.getTime())));
  return { identity, subject: oneLine(own.subject), issuer: oneLine(own.issuer), validUntil };
}

function readAuthorities(path: string): string {
  const variable = 'KMS_TLS_CLIENT_CA_FILE';
  const pem = readCertificate(variable, path);
  const other = certificatesIn(pem).find((each) => !new X509Certificate(each).ca);
  if (other !== undefined)
    throw refuse(
      variable,
      `${path}: ${oneLine(new X509Certificate(other).subject)} is not an authority, which issues certificates`,
    );
  return pem;
}

function tryContext(variable: string, options: SecureContextOptions, otherwise: string): void {
  try {
    createSecureContext(options);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const reason = 'reason' in error && typeof error.reason === 'string' ? error.reason : error.message;
    throw refuse(variable, `${otherwise} (${reason})`);
  }
}

function readText(variable: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw refuse(variable, `${path} cannot be read (${error instanceof Error ? error.message : 'unknown reason'})`);
  }
}

function refuse(variable: string, reason: string): ConfigurationError {
  return new ConfigurationError([{ variable, reason }]);
}

function oneLine(name: string): string {
  return name.replaceAll('\n', ', ');
}
