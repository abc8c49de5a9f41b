import {
  LOG_LEVELS,
  type CacheConfig,
  type DatabaseConfig,
  type MigrateMode,
  type RootConfig,
  type ServiceConfig,
  type SslMode,
} from './service-config.ts';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { parseRedisUrl } from '@qnsp/kms-cache';
import { type Algorithm, KmsError, resolveAlgorithm } from '@qnsp/kms-core';
import { BOUNDS, DEFAULT_THREADS, isApiToken, ROOT_KEY_BYTES, TOKEN_PREFIX } from '@qnsp/kms-core/internal';
import { parseConnectionUrl } from '@qnsp/kms-store-drizzle';
import { ConfigurationError } from './configuration-error.ts';
import { hsmIsMeant, readHsms } from './hsm-variables.ts';
import { readPolicyFile } from './read-crypto-policy.ts';
import { readAws } from './read-aws.ts';
import { readEvidence } from './read-evidence.ts';
import { readFips } from './read-fips.ts';
import { readJwtIssuers } from './read-jwt-issuers.ts';
import { readLimits } from './read-limits.ts';
import { readTransport } from './read-transport.ts';
import { type Environment, Variables } from './variables.ts';

const MEBIBYTE = 1024 * 1024;
const DEFAULT_DATABASE_URL = 'postgresql://qnsp:qnsp-password@127.0.0.1:5432/kms';

/**
 * Reads the configuration. The only reader of the process environment.
 *
 * @throws ConfigurationError with every problem at once; no value of a secret is in it.
 */
export function readConfig(environment: Environment): ServiceConfig {
  const env = new Variables(environment);
  const embedded = env.boolean('KMS_EMBEDDED_DEFAULTS', false);
  const dataDir = resolve(env.text('KMS_DATA_DIR') ?? './.kms');
  const hsms = readHsms(env);
  const fips = readFips(env);
  const requestTimeoutMs = env.integer('KMS_REQUEST_TIMEOUT_MS', 30_000, { min: 100, max: 600_000 });
  const config: ServiceConfig = {
    ...readTransport(env, embedded, fips !== undefined),
    logLevel: env.oneOf('LOG_LEVEL', LOG_LEVELS, 'info'),
    dataDir,
    fleetChange: readFleetChange(env),
    stateDir: readStateDir(env),
    bootstrapTenant: env.text('KMS_BOOTSTRAP_TENANT') ?? (embedded ? 'local' : undefined),
    platformToken: readPlatformToken(env),
    acceptRestoredCopy: env.instant('KMS_ACCEPT_RESTORED_COPY'),
    gatewayCredential: readGatewayCredential(env),
    jwtIssuers: readJwtIssuers(env),
    aws: readAws(env, embedded),
    defaultAlgorithm: readAlgorithm(env),
    requireFips: fips !== undefined,
    fips,
    cryptoPolicy: readPolicyFile(env),
    limits: readLimits(env),
    cache: readCache(env),
    database: readDatabase(env, embedded, dataDir),
    root: readRoot(env, embedded, dataDir, hsmIsMeant(env)),
    hsms,
    hsmSweep: {
      intervalMs: env.integer('KMS_HSM_SWEEP_INTERVAL_MS', 300_000, { min: 100, max: 86_400_000 }),
      createLimitSeconds: env.integer('KMS_HSM_CREATE_LIMIT_SECONDS', 60, { min: 1, max: 86_400 }),
      orphanGraceSeconds: env.integer('KMS_HSM_ORPHAN_GRACE_SECONDS', 604_800, { min: 1, max: 31_536_000 }),
    },
    clockSkewLimitSeconds: env.integer('KMS_CLOCK_SKEW_LIMIT_SECONDS', 0, { min: 0, max: 86_400 }),
    requestTimeoutMs,
    headersTimeoutMs: Math.min(
      requestTimeoutMs,
      env.integer('KMS_HEADERS_TIMEOUT_MS', 10_000, { min: 100, max: 600_000 }),
    ),
    maxConnections: env.integer('KMS_MAX_CONNECTIONS', 10_000, { min: 1, max: 1_000_000 }),
    maxAnswerBytes: env.integer('KMS_MAX_ANSWER_BYTES', 64 * MEBIBYTE, { min: MEBIBYTE, max: 64 * 1024 * MEBIBYTE }),
    socketFastPath: env.boolean('KMS_SOCKET_FAST_PATH', true),
    metricsByTenant: env.boolean('KMS_METRICS_BY_TENANT', false),
    shutdownTimeoutMs: env.integer('KMS_SHUTDOWN_TIMEOUT_MS', 10_000, { min: 0, max: 600_000 }),
    drainDelayMs: env.integer('KMS_DRAIN_DELAY_MS', 0, { min: 0, max: 600_000 }),
    tokenRetentionSeconds: readTokenRetention(env),
    masterKeyRotationDays: env.integer('KMS_TMK_ROTATION_DAYS', 365, { min: 0, max: BOUNDS.masterKeyDays }),
    destroyGuardDays: env.integer('KMS_DESTROY_GUARD_DAYS', 0, {
      min: BOUNDS.destroyGuardDays.minimum,
      max: BOUNDS.destroyGuardDays.maximum,
    }),
    requireApproval: env.integer('KMS_REQUIRE_APPROVAL', 0, {
      min: BOUNDS.requireApproval.minimum,
      max: BOUNDS.requireApproval.maximum,
    }),
    jobIntervalMs: env.integer('KMS_JOB_INTERVAL_MS', 10_000, { min: 100, max: 3_600_000 }),
    workers: readWorkers(env),
    poolThreads: env.integer('UV_THREADPOOL_SIZE', DEFAULT_THREADS, { min: 1, max: MOST_THREADS }),
    evidence: readEvidence(env),
  };
  if (config.workers > 1 && config.database.kind === 'pglite') {
    env.problem('KMS_WORKERS', 'the embedded database serves one process: set 1, or DATABASE_URL to a PostgreSQL');
  }
  if (config.requireFips && !config.defaultAlgorithm.fipsApproved) {
    env.problem(
      'KMS_ALGORITHM',
      `${config.defaultAlgorithm.id} is not approved for FIPS mode, which KMS_REQUIRE_FIPS requires`,
    );
  }
  if (env.problems.length > 0) throw new ConfigurationError(env.problems);
  return config;
}

function readCache(env: Variables): CacheConfig {
  const redisUrl = env.secret('KMS_CACHE_REDIS_URL');
  if (redisUrl !== undefined && parseRedisUrl(redisUrl) === undefined) {
    env.problem(
      'KMS_CACHE_REDIS_URL',
      'must be redis://user:password@host:port/database or rediss:// with TLS; redis+cluster://host:port,host:port; or redis+sentinel://host:port,host:port/master',
    );
  }
  return {
    enabled: env.boolean('KMS_CACHE_ENABLED', true),
    ttlSeconds: env.integer('KMS_CACHE_TTL_SECONDS', 600, { min: 1, max: 86_400 }),
    maxKeys: env.integer('KMS_CACHE_MAX_KEYS', 10_000, { min: 1, max: 10_000_000 }),
    maxBytes: env.integer('KMS_CACHE_MAX_BYTES', 256 * MEBIBYTE, { min: MEBIBYTE, max: 1024 * 1024 * MEBIBYTE }),
    redisUrl,
    redisCaFile: env.text('KMS_CACHE_REDIS_CA_FILE'),
  };
}

const MOST_WORKERS = 256;
/** What libuv cuts larger numbers down to. */
const MOST_THREADS = 1024;

function readWorkers(env: Variables): number {
  if (env.text('KMS_WORKERS') === 'auto') return availableParallelism();
  return env.integer('KMS_WORKERS', 1, { min: 1, max: MOST_WORKERS });
}

function readFleetChange(env: Variables): readonly string[] {
  const names = (env.text('KMS_FLEET_CHANGE') ?? '').split(',').map((name) => name.trim());
  const known = names.filter((name) => name !== '');
  if (known.some((name) => name !== 'KMS_EVIDENCE_ENABLED'))
    env.problem(
      'KMS_FLEET_CHANGE',
      'must be KMS_EVIDENCE_ENABLED, the one setting in which nodes of a fleet must not differ',
    );
  return known;
}

function readStateDir(env: Variables): string | undefined {
  const directory = env.text('KMS_STATE_DIR');
  return directory === undefined ? undefined : resolve(directory);
}

function readPlatformToken(env: Variables): string | undefined {
  const token = env.secret('KMS_PLATFORM_TOKEN');
  if (token !== undefined && !isApiToken(token)) {
    env.problem(
      'KMS_PLATFORM_TOKEN',
      `must be ${TOKEN_PREFIX} and 43 random letters, digits, - or _, e.g. ${TOKEN_PREFIX}$(openssl rand -base64 32 | tr '+/' '-_' | tr -d =)`,
    );
  }
  return token;
}

function readGatewayCredential(env: Variables): string | undefined {
  const credential = env.secret('KMS_GATEWAY_CREDENTIAL');
  if (credential !== undefined && !/^[\w+/=.-]{32,256}$/.test(credential)) {
    env.problem(
      'KMS_GATEWAY_CREDENTIAL',
      'must be 32 to 256 random letters, digits or any of _ + / = . -, e.g. from "openssl rand -base64 32"',
    );
  }
  return credential;
}

function readAlgorithm(env: Variables): Algorithm {
  const name = env.text('KMS_ALGORITHM') ?? 'AES-256-GCM';
  try {
    const algorithm = resolveAlgorithm(name);
    if (algorithm.importOnly) env.problem('KMS_ALGORITHM', `${algorithm.id} keys can only be imported`);
    return algorithm;
  } catch (error) {
    if (!KmsError.is(error)) throw error;
    env.problem('KMS_ALGORITHM', error.message.replace('algorithm: ', ''));
    return resolveAlgorithm('AES-256-GCM');
  }
}

function readDatabase(env: Variables, embedded: boolean, dataDir: string): DatabaseConfig {
  const url = env.secret('DATABASE_URL') ?? (embedded ? `pglite:${resolve(dataDir, 'db')}` : DEFAULT_DATABASE_URL);
  const notifyUrl = env.secret('DATABASE_NOTIFY_URL');
  const migrate = env.oneOf<MigrateMode>('KMS_MIGRATE', ['auto', 'off', 'only'], 'auto');
  const poolMax = env.integer('DATABASE_POOL_MAX', 20, { min: 1, max: 1000 });
  const idleMs = env.integer('DATABASE_POOL_IDLE_MS', 30_000, { min: 0, max: 3_600_000 });
  const timeoutMs = env.integer('DATABASE_TIMEOUT_MS', 5000, { min: 100, max: 600_000 });
  const ssl = env.oneOf<SslMode>('DATABASE_SSL', ['disable', 'require', 'verify-ca', 'verify-full'], 'disable');
  const caFile = env.text('DATABASE_SSL_CA_FILE');
  const requireStandby = env.boolean('KMS_REQUIRE_SYNC_STANDBY', false);
  if (url.startsWith('pglite:')) {
    const directory = url.slice('pglite:'.length);
    const isUrl = /^[a-z][a-z0-9+.-]*:/i.test(directory) && !directory.startsWith('memory://');
    if (directory === '' || isUrl)
      env.problem('DATABASE_URL', 'pglite: needs the path of a directory, as in pglite:./data');
    if (requireStandby) env.problem('KMS_REQUIRE_SYNC_STANDBY', 'the embedded database has no standbys: unset it');
    return { kind: 'pglite', dataDir: directory.startsWith('memory://') ? directory : resolve(directory), timeoutMs };
  }
  refuseBadUrl(env, 'DATABASE_URL', url, 'postgresql://user:password@host:port/database or pglite:directory');
  if (notifyUrl !== undefined)
    refuseBadUrl(env, 'DATABASE_NOTIFY_URL', notifyUrl, 'postgresql://user:password@host:port/database');
  return { kind: 'postgres', url, notifyUrl, poolMax, idleMs, ssl, caFile, timeoutMs, migrate, requireStandby };
}

function refuseBadUrl(env: Variables, variable: string, url: string, form: string): void {
  if (!/^postgres(?:ql)?:\/\//.test(url)) {
    env.problem(variable, `must be ${form}`);
    return;
  }
  try {
    parseConnectionUrl(url);
  } catch (error) {
    if (!KmsError.is(error)) throw error;
    env.problem(variable, error.message.replace('The database URL ', ''));
  }
}

function readRoot(env: Variables, embedded: boolean, dataDir: string, withHsm: boolean): RootConfig | null {
  const encoded = env.secret('KMS_ROOT_KEY');
  if (encoded !== undefined) {
    const key = decodeRootKey(encoded);
    if (key === undefined)
      env.problem('KMS_ROOT_KEY', `must be ${ROOT_KEY_BYTES} bytes as base64 or as hexadecimal digits`);
    return { kind: 'given', key: key ?? new Uint8Array(ROOT_KEY_BYTES) };
  }
  const path = resolve(dataDir, 'root.key');
  if (withHsm) return embedded ? { kind: 'left-over', path } : null;
  if (!embedded && env.text('KMS_ROOT_KEY_FILE') === undefined) {
    env.problem(
      'KMS_ROOT_KEY',
      'no root key is configured: set KMS_ROOT_KEY or KMS_ROOT_KEY_FILE (32 random bytes as base64, e.g. from "openssl rand -base64 32"), or an HSM with KMS_PKCS11_MODULE_PATH',
    );
  }
  return { kind: 'file', path };
}

/**
 * The root key that a rotation of the software root moves to: `KMS_NEW_ROOT_KEY`, or the file that
 * `KMS_NEW_ROOT_KEY_FILE` names.
 *
 * @throws ConfigurationError when there is none.
 */
export function readNewRootKey(environment: Environment): Uint8Array {
  const env = new Variables(environment);
  const encoded = env.secret('KMS_NEW_ROOT_KEY');
  const key = encoded === undefined ? undefined : decodeRootKey(encoded);
  if (key !== undefined) return key;
  if (env.problems.length === 0)
    env.problem(
      'KMS_NEW_ROOT_KEY',
      `must hold the new root key, ${ROOT_KEY_BYTES} bytes as base64 or as hexadecimal digits`,
    );
  throw new ConfigurationError(env.problems);
}

/** The bytes of a root key as people write it down, `undefined` for anything else. */
export function decodeRootKey(encoded: string): Uint8Array | undefined {
  if (/^[0-9a-f]{64}$/i.test(encoded)) return Buffer.from(encoded, 'hex');
  const bytes = Buffer.from(encoded, 'base64');
  return bytes.length === ROOT_KEY_BYTES && bytes.toString('base64') === encoded ? bytes : undefined;
}

/** May be shorter than the age of a backup: a token that is removed has expired in every copy of the database. */
function readTokenRetention(env: Variables): number | undefined {
  const days = env.integer('KMS_TOKEN_RETENTION_DAYS', 400, { min: 0, max: 36_500 });
  return days === 0 ? undefined : days * 24 * 60 * 60;
}
