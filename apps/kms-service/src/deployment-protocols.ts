import { X509Certificate } from 'node:crypto';
import type { Hsm } from '@qnsp/hsm-pkcs11';
import { KmsError } from '@qnsp/kms-core';
import type { DeploymentProtocol } from '@qnsp/wire-qnsp';
import { certificatesIn } from './config/certificate-file.ts';
import type { CacheConfig, DatabaseConfig, ServiceConfig } from './config/service-config.ts';
import type { TlsFiles } from './tls/tls-files.ts';

/** What the protocols of a running service are read from. */
interface Running {
  readonly tls: Pick<TlsFiles, 'settings'> | undefined;
  readonly hsms: readonly Pick<Hsm, 'id' | 'mechanisms'>[];
}

/**
 * The protocols of the deployment, for its inventory.
 *
 * @param reach what clients speak alone, or what is behind the service as well
 */
export async function deploymentProtocols(
  config: Pick<ServiceConfig, 'database' | 'cache'>,
  { tls, hsms }: Running,
  reach: 'api' | 'everything',
): Promise<readonly DeploymentProtocol[]> {
  const api = protocolOfApi(tls);
  if (reach === 'api') return [api];
  const behind = [protocolOfDatabase(config.database), ...protocolOfRedis(config.cache)];
  return [api, ...behind, ...(await Promise.all(hsms.map(protocolOfHsm)))];
}

function protocolOfApi(tls: Running['tls']): DeploymentProtocol {
  if (tls === undefined) return { use: 'api', protocol: 'none' };
  const { identity, minVersion, groups } = tls.settings;
  return {
    use: 'api',
    protocol: 'tls',
    version: minVersion.replace('TLSv', ''),
    groups: groups.split(/[:/]/).map((group) => group.replace(/^[*?]+/, '')),
    certificates: certificatesIn(identity.certificate).map(describeCertificate),
    ...(identity.clientAuthorities === undefined ? {} : { verification: 'certificates of clients' }),
  };
}

function describeCertificate(pem: string): NonNullable<DeploymentProtocol['certificates']>[number] {
  const certificate = new X509Certificate(pem);
  const { asymmetricKeyType = 'unknown', asymmetricKeyDetails: details } = certificate.publicKey;
  const size = details?.namedCurve ?? details?.modulusLength;
  return {
    subject: oneLine(certificate.subject),
    issuer: oneLine(certificate.issuer),
    notBefore: certificate.validFromDate.toISOString(),
    notAfter: certificate.validToDate.toISOString(),
    serialNumber: certificate.serialNumber,
    publicKey: size === undefined ? asymmetricKeyType : `${asymmetricKeyType} ${size}`,
    signature: certificate.signatureAlgorithm ?? null,
  };
}

function oneLine(name: string): string {
  return name.replaceAll('\n', ', ');
}

function protocolOfDatabase(database: DatabaseConfig): DeploymentProtocol {
  if (database.kind === 'pglite' || database.ssl === 'disable') return { use: 'database', protocol: 'none' };
  return { use: 'database', protocol: 'tls', verification: database.ssl };
}

function protocolOfRedis({ enabled, redisUrl }: CacheConfig): readonly DeploymentProtocol[] {
  if (!enabled || redisUrl === undefined) return [];
  return redisUrl.startsWith('rediss')
    ? [{ use: 'redis', protocol: 'tls', verification: 'verify-full' }]
    : [{ use: 'redis', protocol: 'none' }];
}

async function protocolOfHsm(hsm: Running['hsms'][number]): Promise<DeploymentProtocol> {
  const known = { use: 'hsm', protocol: 'pkcs11', provider: hsm.id } as const;
  try {
    return { ...known, mechanisms: await hsm.mechanisms() };
  } catch (error) {
    if (!KmsError.is(error) || error.code !== 'HSM_UNAVAILABLE') throw error;
    return known;
  }
}
