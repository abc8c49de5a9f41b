import { setTimeout as sleep } from 'node:timers/promises';
import { auditServiceProblem } from '@qnsp/kms-audit';
import { openRedisCache } from '@qnsp/kms-cache';
import { KmsError } from '@qnsp/kms-core';
import { skewProblem } from './clock-skew.ts';
import { readCertificate } from './config/certificate-file.ts';
import { ConfigurationError } from './config/configuration-error.ts';
import { readConfig } from './config/env.ts';
import { plainTextProblem } from './config/read-transport.ts';
import type { DatabaseConfig, ServiceConfig } from './config/service-config.ts';
import type { Environment } from './config/variables.ts';
import { openPostgres } from './open-database.ts';
import { openConfigured } from './roots/open-roots.ts';
import { readIdentity } from './tls/read-identity.ts';
import { expiryProblem } from './tls/transport-check.ts';

/** What was checked on the host of a service, and what to do if something is wrong. Holds no secret. */
export interface Finding {
  /** Such as `database` or `HSM hsm`. */
  readonly check: string;
  /** A warning is something to know, which may be as it should be. */
  readonly status: 'ok' | 'skipped' | 'warning' | 'wrong';
  readonly message: string;
}

const DAY_MS = 24 * 60 * 60 * 1000;
const REDIS_LIMIT_MS = 2500;
const REDIS_PAUSE_MS = 50;

/**
 * Looks at what a service needs: its settings, its certificate, its database, its HSMs, its Redis and its audit service. Changes nothing; the PIN of each HSM is
 * presented once.
 *
 * @param environment that of the service
 * @example
 * const wrong = (await diagnose(process.env)).filter(({ status }) => status === 'wrong');
 */
export async function diagnose(environment: Environment): Promise<readonly Finding[]> {
  let config: ServiceConfig;
  try {
    config = readConfig(environment);
  } catch (error) {
    return problemsOf('configuration', error);
  }
  const ok: Finding = { check: 'configuration', status: 'ok', message: 'all settings can be read' };
  return [
    ok,
    ...(await look('transport', async () => lookAtTransport(config))),
    ...(await look('database', () => lookAtDatabase(config.database))),
    ...(await lookAtHsms(config)),
    ...(await look('Redis', () => lookAtRedis(config))),
    ...(await look('audit service', () => lookAtAuditService(config))),
  ];
}

async function look(check: string, work: () => Promise<Omit<Finding, 'check'>>): Promise<readonly Finding[]> {
  try {
    return [{ check, ...(await work()) }];
  } catch (error) {
    return problemsOf(check, error);
  }
}

/** What a person can correct; anything else is a bug in this program and is passed on. */
function problemsOf(check: string, error: unknown): readonly Finding[] {
  if (error instanceof ConfigurationError)
    return error.problems.map(({ variable, reason }) => ({
      check,
      status: 'wrong',
      message: `${variable}: ${reason}`,
    }));
  if (KmsError.is(error)) return [{ check, status: 'wrong', message: error.message }];
  throw error;
}

function lookAtTransport(config: ServiceConfig): Omit<Finding, 'check'> {
  const { tls } = config;
  if (tls === undefined) {
    const exposed = plainTextProblem(config);
    return exposed === undefined
      ? { status: 'ok', message: 'HTTP on this machine only' }
      : { status: 'warning', message: exposed };
  }
  const now = new Date();
  const { validUntil } = readIdentity(tls, now);
  const problem = expiryProblem((validUntil.getTime() - now.getTime()) / DAY_MS);
  if (problem !== undefined) return { status: 'wrong', message: `KMS_TLS_CERT_FILE: ${problem}` };
  return { status: 'ok', message: `TLS, with a certificate that lasts until ${validUntil.toISOString()}` };
}

async function lookAtDatabase(config: DatabaseConfig): Promise<Omit<Finding, 'check'>> {
  if (config.kind === 'pglite')
    // Only one process may have it open, and that is the service.
    return {
      status: 'skipped',
      message: 'embedded database, held open by the running service; see its own check below',
    };
  const opened = await openPostgres(config, { poolMax: 1, migrate: 'off' });
  try {
    const roots = await opened.store.transact({ kind: 'system' }, (unit) => unit.tenants.roots());
    await opened.evidence.requireWritable();
    const problem = skewProblem(opened.clock.machineAheadMs() ?? 0);
    if (problem !== undefined) return { status: 'wrong', message: problem };
    return { status: 'ok', message: `answers, accepts writes, matches this version, and uses ${roots.length} root(s)` };
  } finally {
    await opened.close();
  }
}

async function lookAtHsms({ hsms }: ServiceConfig): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const { variable, hsm } of hsms) {
    const of = await look(`HSM ${hsm.id}`, async () => {
      const opened = await openConfigured(variable, hsm, false);
      try {
        return (await opened.hasRoot())
          ? { status: 'ok', message: 'answers and has its root' }
          : { status: 'wrong', message: 'answers, but has no root: run `kms root init`, or check its label and slot' };
      } finally {
        await opened.close();
      }
    });
    findings.push(...of);
  }
  if (hsms.length === 0) return [{ check: 'HSM', status: 'skipped', message: 'none is configured' }];
  return findings;
}

async function lookAtRedis({ cache }: ServiceConfig): Promise<Omit<Finding, 'check'>> {
  if (cache.redisUrl === undefined || !cache.enabled) return { status: 'skipped', message: 'none is configured' };
  const redis = openRedisCache({
    url: cache.redisUrl,
    ttlSeconds: cache.ttlSeconds,
    onChange: () => undefined,
    ...(cache.redisCaFile === undefined
      ? {}
      : { caPem: readCertificate('KMS_CACHE_REDIS_CA_FILE', cache.redisCaFile) }),
  });
  try {
    for (const end = Date.now() + REDIS_LIMIT_MS; Date.now() < end; await sleep(REDIS_PAUSE_MS)) {
      if (redis.isOpen) continue;
      const { failures } = redis;
      await redis.get('doctor');
      if (redis.failures === failures) return { status: 'ok', message: 'answers' };
    }
    return { status: 'wrong', message: redisProblem(redis.connectionFailure) };
  } finally {
    await redis.close();
  }
}

const WITHOUT_REDIS = 'The service works without it, only more slowly';

function redisProblem(failure: unknown): string {
  const message = failure instanceof Error ? failure.message : 'it does not answer in time';
  const code = failure instanceof Error && 'code' in failure ? String(failure.code) : '';
  if (/^(?:WRONGPASS|NOAUTH|NOPERM)/.test(message))
    return `KMS_CACHE_REDIS_URL: Redis refuses the user or the password. ${WITHOUT_REDIS}`;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return `KMS_CACHE_REDIS_URL: ${message}. ${WITHOUT_REDIS}`;
  if (/CERT|SIGNATURE|ISSUER/.test(code))
    return `KMS_CACHE_REDIS_CA_FILE: the certificate of Redis is not trusted (${message}): name the authority that issued it. ${WITHOUT_REDIS}`;
  return `KMS_CACHE_REDIS_URL: ${message}: check it, and that Redis is running. ${WITHOUT_REDIS}`;
}

async function lookAtAuditService({ evidence }: ServiceConfig): Promise<Omit<Finding, 'check'>> {
  if (evidence === undefined) return { status: 'skipped', message: 'no evidence is kept' };
  const { url, bearerToken, allowedHosts, caFile } = evidence;
  const ca = caFile === undefined ? {} : { caPem: readCertificate('AUDIT_SERVICE_CA_FILE', caFile) };
  const problem = await auditServiceProblem({ url, bearerToken, allowedHosts, ...ca });
  return problem === undefined
    ? { status: 'ok', message: 'answers' }
    : {
        status: 'wrong',
        message: `${problem}: check AUDIT_SERVICE_URL, AUDIT_BEARER_TOKEN and that it is running. Evidence waits until it is accepted`,
      };
}
