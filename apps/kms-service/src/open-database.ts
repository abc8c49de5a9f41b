import { KmsError } from '@qnsp/kms-core';
import { openPostgresStore, type PostgresStoreOptions } from '@qnsp/kms-store-drizzle';
import { readCertificate } from './config/certificate-file.ts';
import { ConfigurationError } from './config/configuration-error.ts';
import type { DatabaseConfig } from './config/service-config.ts';

type PostgresConfig = Extract<DatabaseConfig, { kind: 'postgres' }>;

const CA_FILE = 'DATABASE_SSL_CA_FILE';

/**
 * Opens the PostgreSQL that the settings name.
 *
 * @throws ConfigurationError that names the variable if the server can be reached but rejects these settings, or is not
 * the one that the settings trust; KmsError `STORE_UNAVAILABLE` with the reason when it cannot serve now
 */
export async function openPostgres(
  config: PostgresConfig,
  options: Pick<PostgresStoreOptions, 'onFeedLost'> & Partial<Pick<PostgresStoreOptions, 'poolMax' | 'migrate'>> = {},
): ReturnType<typeof openPostgresStore> {
  const { url, notifyUrl, poolMax, idleMs, ssl, migrate, timeoutMs, caFile, requireStandby } = config;
  const caPem = caFile === undefined ? undefined : readCertificate(CA_FILE, caFile);
  try {
    return await openPostgresStore({
      url,
      ...(notifyUrl === undefined ? {} : { notifyUrl }),
      poolMax,
      idleMs,
      ssl,
      migrate,
      statementTimeoutMs: timeoutMs,
      requireStandby,
      ...(caPem === undefined ? {} : { caPem }),
      ...options,
    });
  } catch (error) {
    throw asDatabaseProblem(error);
  }
}

function asDatabaseProblem(error: unknown): unknown {
  if (!KmsError.is(error)) return error;
  const { lies, option } = error.details ?? {};
  const address = option === 'notifyUrl' ? 'DATABASE_NOTIFY_URL' : 'DATABASE_URL';
  const variable = { address, tls: 'DATABASE_SSL', authority: CA_FILE }[String(lies)];
  return variable === undefined ? error : new ConfigurationError([{ variable, reason: error.message }]);
}
