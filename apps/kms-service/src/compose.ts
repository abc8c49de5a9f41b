import { readFileSync } from 'node:fs';
import { HsmConfigurationError } from '@qnsp/hsm-pkcs11';
import {
  type AlertSink,
  establishRoots,
  KeyHierarchy,
  KeyRing,
  type Kms,
  KmsError,
  OperationBudgets,
  OperationCounter,
  type Store,
} from '@qnsp/kms-core';
import { openPgliteStore, openPostgresStore } from '@qnsp/kms-store-drizzle';
import { ConfigurationError } from './config/configuration-error.ts';
import type { DatabaseConfig, ServiceConfig } from './config/env.ts';
import { mixedRandom } from './roots/hardware-random.ts';
import { type OpenedRoots, openRoots } from './roots/open-roots.ts';

/** The parts of a running service. */
export interface Composition {
  readonly kms: Kms;
  /** What the HSMs are for, besides what the core does with them. */
  readonly hardware: { readonly configured: boolean; randomIsMissing(): boolean };
  close(): Promise<void>;
}

/**
 * Puts the parts together: opens the store, finds the roots, and makes sure that they belong to each other. Serves
 * nothing yet.
 *
 * @param alert hears what the operator should know
 */
export async function compose(config: ServiceConfig, alert: AlertSink): Promise<Composition> {
  const opened = await openStoreAndRoots(config);
  const { store, roots } = opened;
  try {
    const clock = () => Date.now();
    const hardware = mixedRandom(roots.hsms, alert);
    const { random } = hardware;
    const hierarchy = new KeyHierarchy(store, roots.providers, { random, alert });
    await establishRoots(store, hierarchy, roots.providers, roots.makeRoot);
    const cache = { maxEntries: config.cache.enabled ? config.cache.maxKeys : 0, ttlSeconds: config.cache.ttlSeconds };
    const resident = roots.hsms.map((hsm) => hsm.resident);
    const kms: Kms = {
      store,
      hierarchy,
      keyRing: new KeyRing(store, hierarchy, cache, clock, resident),
      budgets: new OperationBudgets(store),
      resident,
      counter: new OperationCounter(),
      clock,
      random,
      settings: { defaultAlgorithm: config.defaultAlgorithm, requireFips: config.requireFips },
    };
    return {
      kms,
      hardware: { configured: roots.hsms.length > 0, randomIsMissing: () => hardware.isMissing() },
      close: () => opened.close(),
    };
  } catch (error) {
    await opened.close();
    throw asConfigurationError(error, roots);
  }
}

/** The store and the configured roots, before anybody asked whether they belong together. */
export async function openStoreAndRoots(
  config: ServiceConfig,
  ceremony = false,
): Promise<{ readonly store: Store; readonly roots: OpenedRoots; close(): Promise<void> }> {
  const opened = await openStore(config.database);
  try {
    const known = await opened.store.transact({ kind: 'system' }, (unit) => unit.tenants.roots());
    const roots = await openRoots(config, known, ceremony);
    return {
      store: opened.store,
      roots,
      close: async () => {
        await roots.close();
        await opened.close();
      },
    };
  } catch (error) {
    await opened.close();
    throw error;
  }
}

/** Applies pending migrations and does nothing else. */
export async function migrate(config: DatabaseConfig): Promise<void> {
  const opened = await openStore(config);
  await opened.close();
}

async function openStore(config: DatabaseConfig): Promise<{ store: Store; close(): Promise<void> }> {
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
export function asConfigurationError(error: unknown, roots: OpenedRoots): unknown {
  if (error instanceof HsmConfigurationError)
    return new ConfigurationError([{ variable: roots.variableOf(undefined), reason: error.message }]);
  if (!(error instanceof KmsError) || error.code !== 'SEALED') return error;
  const providerId = error.details?.['providerId'];
  const variable = roots.variableOf(typeof providerId === 'string' ? providerId : undefined);
  return new ConfigurationError([{ variable, reason: error.message }]);
}
