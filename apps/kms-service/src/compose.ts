import { randomBytes } from 'node:crypto';
import {
  type ChangeFeed,
  type DatabaseCopies,
  establishRoots,
  type EvidenceStore,
  KeyHierarchy,
  KeyRing,
  type Kms,
  KmsError,
  OperationBudgets,
  OperationCounter,
  type RootProvider,
  type RootRecord,
  softwareRoot,
  type Store,
  TokenRing,
} from '@qnsp/kms-core';
import { openPgliteStore, openPostgresStore } from '@qnsp/kms-store-drizzle';
import { type Caches, openCaches } from './caches.ts';
import { readCertificate } from './config/certificate-file.ts';
import { ConfigurationError } from './config/configuration-error.ts';
import type { DatabaseConfig, RootConfig, ServiceConfig } from './config/env.ts';
import { type Evidence, openEvidence } from './evidence/open-evidence.ts';
import type { Logger } from './http/logger.ts';
import { readOrCreateRootKey, readRootKey } from './config/root-key-file.ts';

/** The parts of a running service. */
export interface Composition {
  readonly kms: Kms;
  /** Absent when no evidence is kept. */
  readonly evidence: Evidence | undefined;
  /** Whether the database is a restored copy; a store that can not tell has none. */
  readonly copies: DatabaseCopies | undefined;
  readonly caches: Caches;
  close(): Promise<void>;
}

/**
 * Puts the parts together: opens the store, finds the root, and makes sure that they belong to each other. Serves
 * nothing yet.
 */
export async function compose(config: ServiceConfig, log: Logger): Promise<Composition> {
  const opened = await openStore(config.database, log);
  const { store } = opened;
  try {
    const known = await store.transact({ kind: 'system' }, (unit) => unit.tenants.roots());
    const roots: readonly RootProvider[] = [openRoot(config.root, known)];
    const clock = () => Date.now();
    const hierarchy = new KeyHierarchy(store, roots);
    await establishRoots(store, hierarchy, roots);
    const caches = openCaches(config.cache, opened.changes, log);
    const evidence = config.evidence && openEvidence(config.evidence, opened.evidence, clock);
    const kms: Kms = {
      store,
      hierarchy,
      keyRing: new KeyRing(store, hierarchy, caches.forKeys),
      tokens: new TokenRing(store, hierarchy, caches.forTokens),
      budgets: new OperationBudgets(store),
      counter: new OperationCounter(),
      clock,
      random: randomBytes,
      settings: { defaultAlgorithm: config.defaultAlgorithm, requireFips: config.requireFips },
      evidence: evidence?.ofService,
    };
    return {
      kms,
      evidence,
      caches,
      copies: opened.copies,
      close: async () => {
        await caches.close();
        await opened.close();
      },
    };
  } catch (error) {
    await opened.close();
    throw asConfigurationError(error);
  }
}

/** A root key is only ever made for a database that has none: for any other a new one would open nothing. */
function openRoot(config: RootConfig, known: readonly RootRecord[]): RootProvider {
  const key =
    config.kind === 'given'
      ? config.key
      : known.length === 0
        ? readOrCreateRootKey(config.path)
        : readRootKey(config.path, known);
  try {
    return softwareRoot('software', key);
  } finally {
    key.fill(0);
  }
}

/** Applies pending migrations and does nothing else. */
export async function migrate(config: DatabaseConfig, log: Logger): Promise<void> {
  const opened = await openStore(config, log);
  await opened.close();
}

async function openStore(
  config: DatabaseConfig,
  log: Logger,
): Promise<{
  store: Store;
  evidence: EvidenceStore;
  changes: ChangeFeed;
  copies?: DatabaseCopies;
  close(): Promise<void>;
}> {
  if (config.kind === 'pglite')
    return openPgliteStore({ dataDir: config.dataDir, statementTimeoutMs: config.timeoutMs });
  return openPostgresStore({
    url: config.url,
    poolMax: config.poolMax,
    idleMs: config.idleMs,
    ssl: config.ssl,
    migrate: config.migrate,
    statementTimeoutMs: config.timeoutMs,
    onFeedLost: (error) =>
      log.warn({ err: error }, 'notices of changes are interrupted: keys and tokens are read from the database'),
    ...(config.caFile === undefined ? {} : { caPem: readCertificate('DATABASE_SSL_CA_FILE', config.caFile) }),
  });
}

/** A root that is not this database's is the operator's to mend, not a fault that passes. */
function asConfigurationError(error: unknown): unknown {
  if (!(error instanceof KmsError) || error.code !== 'SEALED') return error;
  return new ConfigurationError([{ variable: 'KMS_ROOT_KEY', reason: error.message }]);
}
