import { type Hsm, HsmConfigurationError } from '@qnsp/hsm-pkcs11';
import { KmsError, type OpenedKms, openKms, type Storage, SYSTEM_TENANT } from '@qnsp/kms-core';
import { type Kms, type RateLimit, WrittenFormat } from '@qnsp/kms-core/internal';
import {
  type AcknowledgedCommits,
  type DatabaseCopies,
  type EvidenceStore,
  type FleetNodes,
  poolJobs,
  type StoreClock,
} from '@qnsp/kms-core/ports';
import { openPgliteStore } from '@qnsp/kms-store-drizzle';
import { type Caches, openCaches } from './caches.ts';
import { CommitFiles } from './commits/commit-files.ts';
import { OutsideMemory } from './commits/outside-memory.ts';
import { ConfigurationError } from './config/configuration-error.ts';
import type { LimitsConfig } from './config/read-limits.ts';
import type { DatabaseConfig, ServiceConfig } from './config/service-config.ts';
import { type Evidence, openEvidence } from './evidence/open-evidence.ts';
import type { Logger } from './http/logger.ts';
import { longestLifetimeSeconds } from './jwt-credentials.ts';
import { openPostgres } from './open-database.ts';
import { mixedRandom } from './roots/hardware-random.ts';
import { logAlert } from './roots/log-alert.ts';
import { type OpenedRoots, openRoots } from './roots/open-roots.ts';
import { poolOf } from './thread-pool.ts';
import { writableStore } from './writable-store.ts';

/** The parts of a running service. */
export interface Composition {
  readonly opened: OpenedKms;
  /** Its parts. */
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
  readonly clock: StoreClock | undefined;
  /** What was acknowledged, and where that is remembered; a store that is never older than it was has none. */
  readonly commits: { readonly told: AcknowledgedCommits; readonly memory: OutsideMemory } | undefined;
  readonly caches: Caches;
  /** Why the database takes no writes, `undefined` when it takes them. */
  readonly writeProblem: () => Promise<string | undefined>;
  /** What the HSMs are for, besides what the core does with them. */
  readonly hardware: { readonly configured: boolean; readonly hsms: readonly Hsm[]; randomIsMissing(): boolean };
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
  const { storage, roots } = opened;
  let caches: Caches | undefined;
  try {
    const hardware = mixedRandom(roots.hsms, alert);
    const format = new WrittenFormat(storage.fleet === undefined);
    const { clock: databaseClock } = storage;
    const clock = databaseClock === undefined ? () => Date.now() : databaseClock.now;
    const evidence = config.evidence && openEvidence(config.evidence, storage.evidence, clock);
    caches = openCaches(config.cache, storage.changes, log);
    const kms = await openKms({
      storage,
      roots: roots.providers,
      makeRoot: roots.makeRoot,
      resident: roots.hsms.map((hsm) => hsm.resident),
      random: hardware.random,
      jobs: poolJobs(poolOf(config)),
      alert,
      cache: caches.open,
      evidence: evidence && (() => ({ trail: evidence.trail, close: () => evidence.stop() })),
      defaultAlgorithm: config.defaultAlgorithm,
      requireFips: config.requireFips,
      legacyRead: config.fips?.legacyRead ?? false,
      cryptoPolicy: config.cryptoPolicy,
      quotas: config.limits.quotas,
      tenantRate: shownRate(config.limits.tenant),
      destroyGuardDays: config.destroyGuardDays,
      requireApproval: config.requireApproval,
      credentialLifetimeSeconds: longestLifetimeSeconds(config.jwtIssuers),
      supervised: { formats: format },
    });
    const { redis } = caches;
    const memory = new OutsideMemory({
      chain: await kms.parts.hierarchy.masterKeys(SYSTEM_TENANT),
      redis,
      files: config.stateDir === undefined ? undefined : new CommitFiles(config.stateDir),
      log,
    });
    return {
      opened: kms,
      kms: kms.parts,
      evidence,
      evidenceStore: storage.evidence,
      caches,
      copies: storage.copies,
      fleet: storage.fleet,
      format,
      writeProblem: writableStore(storage.evidence),
      clock: databaseClock,
      commits: storage.commits && { told: storage.commits, memory },
      hardware: { configured: roots.hsms.length > 0, hsms: roots.hsms, randomIsMissing: () => hardware.isMissing() },
      close: async () => {
        await memory.close();
        await kms.close();
        await redis?.close();
        await opened.close();
      },
    };
  } catch (error) {
    await caches?.close();
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
): Promise<OpenedStore> {
  const storage = await openStorage(config.database, onFeedLost);
  try {
    const known = await storage.store.transact({ kind: 'system' }, (unit) => unit.tenants.roots());
    const roots = await openRoots(config, known, ceremony);
    return {
      storage,
      roots,
      close: async () => {
        await roots.close();
        await storage.close();
      },
    };
  } catch (error) {
    await storage.close();
    throw error;
  }
}

/** Applies pending migrations and does nothing else. */
export async function migrate(config: DatabaseConfig, log: Logger): Promise<void> {
  const storage = await openStorage(config, feedLost(log));
  await storage.close();
}

interface OpenedStore {
  readonly storage: Storage;
  readonly roots: OpenedRoots;
  close(): Promise<void>;
}

function feedLost(log: Logger): (error: unknown) => void {
  return (error) =>
    log.warn(
      { err: error },
      'notices of changes are interrupted: keys and tokens are read from the database (behind a pooler in transaction mode set DATABASE_NOTIFY_URL)',
    );
}

async function openStorage(config: DatabaseConfig, onFeedLost: (error: unknown) => void): Promise<Storage> {
  if (config.kind === 'pglite')
    return openPgliteStore({ dataDir: config.dataDir, statementTimeoutMs: config.timeoutMs });
  return openPostgres(config, { onFeedLost });
}

function shownRate(limit: LimitsConfig['tenant']): RateLimit | undefined {
  return limit && { unitsPerSecond: limit.perSecond, burst: limit.burst };
}

/** A root that is not this database's is the operator's to mend, not a fault that passes. */
export function asConfigurationError(error: unknown, roots: OpenedRoots): unknown {
  if (error instanceof HsmConfigurationError)
    return new ConfigurationError([{ variable: roots.variableOf(undefined), reason: error.message }]);
  if (!KmsError.is(error) || error.code !== 'SEALED') return error;
  const providerId = error.details?.['providerId'];
  const variable = roots.variableOf(typeof providerId === 'string' ? providerId : undefined);
  return new ConfigurationError([{ variable, reason: error.message }]);
}
