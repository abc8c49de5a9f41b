import { newId, type TenantId } from '../model/identifiers.ts';
import type { KeyRecord } from '../model/key.ts';
import { repeat, type Repeated } from '../scheduling/repeated.ts';
import type { Kms } from '../operations/kms.ts';
import { operationOfService } from '../operations/operation.ts';
import { removeExpiredTokens } from '../operations/remove-expired-tokens.ts';
import { type ReportedRecords, resealMasterKeys } from '../operations/reseal-master-keys.ts';
import { rotateDueMasterKeys } from '../operations/rotate-due-master-keys.ts';
import { runDueWork } from '../operations/run-due-work.ts';
import { runMigrations } from '../operations/run-migrations.ts';

/** What became of scheduled work. */
export type WorkReport =
  | { readonly kind: 'done'; readonly rotated: number; readonly destroyed: number }
  /** The turn of one key failed; it comes up again at the next turn. */
  | { readonly kind: 'key-failed'; readonly key: Pick<KeyRecord, 'tenantId' | 'keyId'>; readonly error: unknown }
  | { readonly kind: 'tokens-removed'; readonly removed: number }
  /** Expired tokens whose records are not authentic, which are kept. Said when their number grows. */
  | { readonly kind: 'tokens-kept'; readonly kept: number }
  /** Master keys of tenants that were rotated by themselves, records that were sealed again, and tenants whose earlier master keys are gone. */
  | {
      readonly kind: 'master-keys';
      readonly rotated: number;
      readonly resealed: number;
      readonly retired: readonly TenantId[];
    }
  /** Keys that migrations upgraded, and migrations that looked at every key. */
  | {
      readonly kind: 'migrations';
      readonly upgraded: number;
      readonly completed: readonly { readonly tenantId: TenantId; readonly migrationId: string }[];
    }
  /** The turn of the migration of one tenant failed; it comes up again at the next turn. */
  | { readonly kind: 'migration-failed'; readonly tenantId: TenantId; readonly error: unknown }
  /** Records that cannot be sealed again, as they are not authentic, and keep an earlier master key. Said when their number grows. */
  | { readonly kind: 'records-kept'; readonly kept: number }
  /** The turn of the master key of one tenant failed; it comes up again at the next turn. */
  | { readonly kind: 'tenant-failed'; readonly tenantId: TenantId; readonly error: unknown }
  /** The turn ended early; what is due stays due. */
  | { readonly kind: 'failed'; readonly error: unknown };

/** When scheduled work is done, and who hears of it. */
export interface Schedule {
  /** The pause between two turns in milliseconds; default: 10,000. */
  readonly intervalMs?: number;
  /** How long tokens are kept after they expired, in seconds; default: forever. */
  readonly tokenRetentionSeconds?: number | undefined;
  /** How old the master key of a tenant gets before it is rotated, in days; default: any age. */
  readonly masterKeyRotationDays?: number | undefined;
  /** Hears what was done and what failed. Must not throw. */
  readonly report: (report: WorkReport) => void;
  /** Asked before each turn: a turn that may not work is skipped. Default: every turn works. */
  readonly mayWork?: () => Promise<boolean>;
  /** Done in each turn, after what schedules ask for. */
  readonly also?: () => Promise<void>;
}

const INTERVAL_MS = 10_000;
/** How often it is looked for master keys that are due: each time means reading all tenants. */
const MASTER_KEYS_LOOKED_FOR_MS = 10 * 60 * 1000;
/** How many master keys are rotated before the others get their turn. */
const MASTER_KEYS_AT_ONCE = 10;
/** After this time what is sealed again has a pause, and it is asked again whether it may work. */
const RESEALING_MS = 30_000;

/** After this time what is migrated has a pause, and it is asked again whether it may work. */
const MIGRATING_MS = 30_000;

/**
 * Runs what schedules ask for again and again: rotations, destructions, the removal of expired tokens; and beside it, as these may take long,
 * what master keys need, and migrations.
 */
export function startScheduledWork(kms: Kms, schedule: Schedule): Repeated {
  const works = [startDueWork(kms, schedule), startMasterKeyWork(kms, schedule), startMigrationWork(kms, schedule)];
  return {
    stop: async () => {
      await Promise.all(works.map((work) => work.stop()));
    },
  };
}

function startMasterKeyWork(
  kms: Kms,
  { intervalMs = INTERVAL_MS, masterKeyRotationDays: days = 0, report, mayWork }: Schedule,
): Repeated {
  let looksAgainAt = 0;
  let keptBefore = 0;
  const reported: ReportedRecords = new Map();
  const work = async (stopping: AbortSignal) => {
    let rotated = 0;
    const failed: { readonly tenantId: TenantId; readonly error: unknown }[] = [];
    if (performance.now() >= looksAgainAt) {
      const service = operationOfService(kms, 'rotateDueMasterKeys');
      const due = await rotateDueMasterKeys(service, { days, limit: MASTER_KEYS_AT_ONCE }, stopping);
      ({ rotated } = due);
      failed.push(...due.failed);
      if (!due.more) looksAgainAt = performance.now() + MASTER_KEYS_LOOKED_FOR_MS;
    }
    const limit = AbortSignal.any([stopping, AbortSignal.timeout(RESEALING_MS)]);
    const { resealed, retired, kept, ...rest } = await resealMasterKeys(
      operationOfService(kms, 'resealMasterKeys'),
      limit,
      reported,
    );
    failed.push(...rest.failed);
    if (rotated + resealed + retired.length > 0) report({ kind: 'master-keys', rotated, resealed, retired });
    if (kept > keptBefore) report({ kind: 'records-kept', kept });
    keptBefore = kept;
    for (const { tenantId, error } of failed) report({ kind: 'tenant-failed', tenantId, error });
  };
  return repeat(intervalMs, async (stopping) => {
    try {
      if ((await mayWork?.()) ?? true) await work(stopping);
    } catch (error) {
      // The next turn tries again: what is left to do is what the records say.
      report({ kind: 'failed', error });
    }
  });
}

function startMigrationWork(kms: Kms, { intervalMs = INTERVAL_MS, report, mayWork }: Schedule): Repeated {
  const holder = newId();
  const work = async (stopping: AbortSignal) => {
    const limit = AbortSignal.any([stopping, AbortSignal.timeout(MIGRATING_MS)]);
    const service = operationOfService(kms, 'runMigrations');
    const { upgraded, completed, keys, failed } = await runMigrations(service, { holder }, limit);
    if (upgraded + completed.length > 0) report({ kind: 'migrations', upgraded, completed });
    for (const { key, error } of keys) report({ kind: 'key-failed', key, error });
    for (const { tenantId, error } of failed) report({ kind: 'migration-failed', tenantId, error });
  };
  return repeat(intervalMs, async (stopping) => {
    try {
      if ((await mayWork?.()) ?? true) await work(stopping);
    } catch (error) {
      // The next turn tries again: how far a migration got is what its record says.
      report({ kind: 'failed', error });
    }
  });
}

function startDueWork(
  kms: Kms,
  { intervalMs = INTERVAL_MS, tokenRetentionSeconds, report, mayWork, also }: Schedule,
): Repeated {
  let keptTokens = 0;
  const removeTokens = async (stopping: AbortSignal) => {
    if (tokenRetentionSeconds === undefined || stopping.aborted) return;
    const service = operationOfService(kms, 'removeExpiredTokens');
    const { removed, kept } = await removeExpiredTokens(service, { seconds: tokenRetentionSeconds }, stopping);
    if (removed > 0) report({ kind: 'tokens-removed', removed });
    // Said once, not in each turn.
    if (kept > keptTokens) report({ kind: 'tokens-kept', kept });
    keptTokens = kept;
  };
  const work = async (stopping: AbortSignal) => {
    await kms.counter.flush(kms.store, kms.quotas);
    await kms.tokens.uses.flush(kms.store);
    await kms.uses.flush(kms.store);
    const { rotated, destroyed, failed } = await runDueWork(operationOfService(kms, 'runDueWork'), stopping);
    if (rotated + destroyed > 0) report({ kind: 'done', rotated, destroyed });
    for (const { key, error } of failed) report({ kind: 'key-failed', key, error });
    try {
      await also?.();
    } finally {
      await removeTokens(stopping);
    }
  };
  return repeat(intervalMs, async (stopping) => {
    try {
      if ((await mayWork?.()) ?? true) await work(stopping);
    } catch (error) {
      // The next turn tries again: what is due stays due in the store.
      report({ kind: 'failed', error });
    }
  });
}
