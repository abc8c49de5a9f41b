import { HsmConfigurationError } from '@qnsp/hsm-pkcs11';
import {
  type AcknowledgedCommits,
  type ChangeFeed,
  type DatabaseCopies,
  establishRoots,
  type EvidenceStore,
  type FleetNodes,
  KeyHierarchy,
  KeyRing,
  type Kms,
  KmsError,
  OperationBudgets,
  OperationCounter,
  SILENT_FEED,
  type Store,
  SYSTEM_TENANT,
  TokenRing,
} from '@qnsp/kms-core';
import { type DatabaseClock, openPgliteStore } from '@qnsp/kms-store-drizzle';
import { type Caches, openCaches } from './caches.ts';
import { CommitFiles } from './commits/commit-files.ts';
import { OutsideMemory } from './commits/outside-memory.ts';
import { ConfigurationError } from './config/configuration-error.ts';
import type { DatabaseConfig, ServiceConfig } from './config/service-config.ts';
import { type Evidence, openEvidence } from './evidence/open-evidence.ts';
import type { Logger } from './http/logger.ts';
import { openPostgres } from './open-database.ts';
import { mixedRandom } from './roots/hardware-random.ts';
import { logAlert } from './roots/log-alert.ts';
import { type OpenedRoots, openRoots } from './roots/open-roots.ts';
import { WrittenFormat } from './written-format.ts';
import { writableStore } from './writable-store.ts';

/** The parts of a running service. */
export interface Composition {
  readonly kms: Kms;
  /** Absent when no evidence is kept. */
  readonly evidence: Evidence | undefined;
  /** Where evidence is, even when it is no longer kept. */
  readonly evidenceStore: EvidenceStore;
  /** Whether the database is a restored copy; a store that cannot tell has none. */
  readonly fleet: FleetNodes | undefined;
  /** In which format records are written, which the fleet decides. */
  readonly format: WrittenFormat;
  readonly copies: DatabaseCopies | undefined;
  /** The clock of the database; absent when that is this machine's. */
  readonly clock: DatabaseClock | undefined;
  /** What was acknowledged, and where that is remembered; a store that is never older than it was has none. */
  readonly commits: { readonly told: AcknowledgedCommits; readonly memory: OutsideMemory } | undefined;
  readonly caches: Caches;
  /** Why the database takes no writes, `undefined` when it takes them. */
  readonly writeProblem: () => Promise<string | undefined>;
  /** What the HSMs are for, besides what the core does with them. */
  readonly hardware: { readonly configured: boolean; randomIsMissing(): boolean };
  close(): Promise<void>;
}

/**
 * Puts the parts together: opens the store, finds the roots, and makes sure that they belong to each other. Serves
 * nothing yet.
 *
 * @param log hears what the operator should know
 */
export async function compose(config: ServiceConfig, log: Logger): Promise<Composition> {
  const alert = logAlert(log);
  const opened = await openStoreAndRoots(config, feedLost(log));
  const { store, roots } = opened;
  try {
    const databaseClock = opened.clock;
    const clock = databaseClock === undefined ? () => Date.now() : () => databaseClock.now();
    const hardware = mixedRandom(roots.hsms, alert);
    const { random } = hardware;
    const feed = config.cache.enabled ? opened.changes : SILENT_FEED;
    const format = new WrittenFormat(opened.fleet === undefined);
    const hierarchy = new KeyHierarchy(store, roots.providers, { random, alert, feed, formats: format });
    await establishRoots(store, hierarchy, roots.providers, roots.makeRoot);
    const caches = openCaches(config.cache, opened.changes, log);
    const memory = new OutsideMemory({
      chain: await hierarchy.masterKeys(SYSTEM_TENANT),
      redis: caches.redis,
      files: config.stateDir === undefined ? undefined : new CommitFiles(config.stateDir),
      log,
    });
    const evidence = config.evidence && openEvidence(config.evidence, opened.evidence, clock);
    const resident = roots.hsms.map((hsm) => hsm.resident);
    const kms: Kms = {
      store,
      hierarchy,
      keyRing: new KeyRing(store, hierarchy, caches.forKeys, resident),
      tokens: new TokenRing(store, hierarchy, caches.forTokens),
      budgets: new OperationBudgets(store),
      resident,
      counter: new OperationCounter(),
      clock,
      random,
      alert,
      settings: { defaultAlgorithm: config.defaultAlgorithm, requireFips: config.requireFips },
      evidence,
    };
    return {
      kms,
      evidence,
      evidenceStore: opened.evidence,
      caches,
      copies: opened.copies,
      fleet: opened.fleet,
      format,
      writeProblem: writableStore(opened.evidence),
      clock: databaseClock,
      commits: opened.commits && { told: opened.commits, memory },
      hardware: { configured: roots.hsms.length > 0, randomIsMissing: () => hardware.isMissing() },
      close: async () => {
        await memory.close();
        await caches.close();
        await opened.close();
      },
    };
  } catch (error) {
    await opened.close();
    throw asConfigurationError(error, roots);
  }
}

/**
 * The store and the configured roots, before anybody asked whether they belong together.
 *
 * @param onFeedLost hears when notices of changes are interrupted
 */
export async function openStoreAndRoots(
  config: ServiceConfig,
  onFeedLost: (error: unknown) => void,
  ceremony = false,
): Promise<OpenedStore & { readonly roots: OpenedRoots }> {
  const opened = await openStore(config.database, onFeedLost);
  try {
    const known = await opened.store.transact({ kind: 'system' }, (unit) => unit.tenants.roots());
    const roots = await openRoots(config, known, ceremony);
    return {
      ...opened,
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
export async function migrate(config: DatabaseConfig, log: Logger): Promise<void> {
  const opened = await openStore(config, feedLost(log));
  await opened.close();
}

interface OpenedStore {
  readonly store: Store;
  readonly evidence: EvidenceStore;
  readonly changes: ChangeFeed;
  readonly copies?: DatabaseCopies;
  /** Absent when the database has no other clock than this machine. */
  readonly clock?: DatabaseClock;
  readonly commits?: AcknowledgedCommits;
  /** Absent where one process has the database for itself. */
  readonly fleet?: FleetNodes;
  close(): Promise<void>;
}

function feedLost(log: Logger): (error: unknown) => void {
  return (error) =>
    log.warn(
      { err: error },
      'notices of changes are interrupted: keys and tokens are read from the database (behind a pooler in transaction mode set DATABASE_NOTIFY_URL)',
    );
}

async function openStore(config: DatabaseConfig, onFeedLost: (error: unknown) => void): Promise<OpenedStore> {
  if (config.kind === 'pglite')
    return openPgliteStore({ dataDir: config.dataDir, statementTimeoutMs: config.timeoutMs });
  return openPostgres(config, { onFeedLost });
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
