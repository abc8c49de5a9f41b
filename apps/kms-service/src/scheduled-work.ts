import type { WorkReport } from '@qnsp/kms-core';
import { type Kms, startScheduledWork } from '@qnsp/kms-core/internal';
import type { Logger } from './http/logger.ts';
import type { RootWork } from './roots/root-work.ts';

export interface ScheduledWorkOptions {
  /** What the roots need, done after what schedules ask for. */
  readonly rootWork: RootWork;
  readonly intervalMs: number;
  /** How long tokens are kept after they expired; `undefined` keeps them forever. */
  readonly tokenRetentionSeconds: number | undefined;
  /** How old the master key of a tenant gets before it is rotated; 0: any age. */
  readonly masterKeyRotationDays: number;
  /** Asked before each turn: a turn that may not work is skipped. */
  readonly mayWork: () => Promise<boolean>;
  readonly log: Logger;
}

/** Runs what schedules ask for, again and again with a pause between, until it is stopped. */
export function startLoggedWork(kms: Kms, { rootWork, log, ...schedule }: ScheduledWorkOptions) {
  return startScheduledWork(kms, {
    ...schedule,
    also: () => rootWork.run(),
    report: (report) => writeReport(log, report),
  });
}

function writeReport(log: Logger, report: WorkReport): void {
  switch (report.kind) {
    case 'done':
      log.info({ rotated: report.rotated, destroyed: report.destroyed }, 'scheduled work done');
      return;
    case 'key-failed': {
      const { key, error } = report;
      log.error({ tenantId: key.tenantId, keyId: key.keyId, err: error }, 'scheduled work on a key failed');
      return;
    }
    case 'tokens-removed':
      log.info({ removed: report.removed }, 'removed tokens that expired long ago');
      return;
    case 'tokens-kept':
      log.warn({ kept: report.kept }, 'tokens that expired long ago are kept: their records are not authentic');
      return;
    case 'master-keys': {
      const { rotated, resealed, retired } = report;
      log.info(
        { rotated, resealed, retired },
        'rotated master keys, sealed records again, destroyed earlier master keys',
      );
      return;
    }
    case 'migrations':
      log.info({ upgraded: report.upgraded, completed: report.completed }, 'migrated keys to other algorithms');
      return;
    case 'migration-failed':
      log.error({ tenantId: report.tenantId, err: report.error }, 'the migration of the keys of a tenant failed');
      return;
    case 'records-kept':
      log.warn(
        { kept: report.kept },
        'records that are not authentic are not sealed again: they keep an earlier master key',
      );
      return;
    case 'tenant-failed':
      log.error({ tenantId: report.tenantId, err: report.error }, 'work on the master key of a tenant failed');
      return;
    case 'failed':
      log.warn({ err: report.error }, 'scheduled work could not run');
  }
}
