import { randomBytes } from 'node:crypto';
import {
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
} from '@qnsp/kms-core';
import { openPgliteStore, openPostgresStore } from '@qnsp/kms-store-drizzle';
import { readFileSync } from 'node:fs';
import { ConfigurationError } from './config/configuration-error.ts';
import type { DatabaseConfig, RootConfig, ServiceConfig } from './config/env.ts';
import { type Evidence, openEvidence } from './evidence/open-evidence.ts';
import { readOrCreateRootKey, readRootKey } from './config/root-key-file.ts';

/** The parts of a running service. */
export interface Composition {
  readonly kms: Kms;
  /** Absent when no evidence is kept. */
  readonly evidence: Evidence | undefined;
  close(): Promise<void>;
}

/**
 * Puts the parts together: opens the store, finds the root, and makes sure that they belong to each other. Serves
 * nothing yet.
 */
export async function compose(config: ServiceConfig): Promise<Composition> {
  const opened = await openStore(config.database);
  const { store } = opened;
  try {
    const known = await store.transact({ kind: 'system' }, (unit) => unit.tenants.roots());
    const roots: readonly RootProvider[] = [openRoot(config.root, known)];
    const clock = () => Date.now();
    const hierarchy = new KeyHierarchy(store, roots);
    await establishRoots(store, hierarchy, roots);
    const cache = { maxEntries: config.cache.enabled ? config.cache.maxKeys : 0, ttlSeconds: config.cache.ttlSeconds };
    const evidence = config.evidence && openEvidence(config.evidence, opened.evidence, clock);
    const kms: Kms = {
      store,
      hierarchy,
      keyRing: new KeyRing(store, hierarchy, cache, clock),
      budgets: new OperationBudgets(store),
      counter: new OperationCounter(),
      clock,
      random: randomBytes,
      settings: { defaultAlgorithm: config.defaultAlgorithm, requireFips: config.requireFips },
      evidence: evidence?.ofService,
    };
    return { kms, evidence, close: () => opened.close() };
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
export async function migrate(config: DatabaseConfig): Promise<void> {
  const opened = await openStore(config);
  await opened.close();
}

async function openStore(
  config: DatabaseConfig,
): Promise<{ store: Store; evidence: EvidenceStore; close(): Promise<void> }> {
  if (config.kind === 'pglite')
    return openPgliteStore({ dataDir: config.dataDir, statementTimeoutMs: config.timeoutMs });
  return openPostgresStore({
    url: config.url,
    poolMax: config.poolMax,
    idleMs: config.idleMs,
    ssl: config.ssl,
    migrate: config.migrate,
    statementTimeoutMs: config.timeoutMs,
    ...(config.caFile === undefined ? {} : { caPem: readCertificate(config.caFile) }),
  });
}

function readCertificate(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new ConfigurationError([
      {
        variable: 'DATABASE_SSL_CA_FILE',
        reason: `${path} can not be read (${cause instanceof Error ? cause.message : 'unknown reason'})`,
      },
    ]);
  }
}

/** A root that is not this database's is the operator's to mend, not a fault that passes. */
function asConfigurationError(error: unknown): unknown {
  if (!(error instanceof KmsError) || error.code !== 'SEALED') return error;
  return new ConfigurationError([{ variable: 'KMS_ROOT_KEY', reason: error.message }]);
}
