import type { KeyMigrationRecord, MigrationRefusal, MigrationSelector, MigrationState } from './key-migration.ts';

/** A migration as it is shown. Every value is JSON. */
export interface KeyMigrationDescription {
  readonly migrationId: string;
  readonly state: MigrationState;
  readonly selector: MigrationSelector;
  /** `quantum-safe`, or the id of an algorithm. */
  readonly target: string;
  readonly startedBy: string;
  readonly createdAt: string;
  readonly endedAt: string | null;
  readonly keys: {
    /** How many keys the tenant had at the start that were not destroyed. */
    readonly total: number;
    /** How many of them were looked at in this pass. */
    readonly examined: number;
    readonly upgraded: number;
    /** How many have the algorithm already, or one that is good enough, or are not meant. */
    readonly unchanged: number;
    /** How many are tried once more. */
    readonly waiting: number;
    /** How many stay as they are, by the reason for it. */
    readonly refused: Readonly<Partial<Record<MigrationRefusal, number>>>;
  };
}

/** Shows a migration. */
export function describeMigration(record: KeyMigrationRecord): KeyMigrationDescription {
  const { migrationId, state, createdAt, endedAt, order, progress } = record;
  const { total, examined, upgraded, upgradedBefore, unchanged, waiting, refused } = progress;
  return {
    migrationId,
    state,
    selector: order.selector,
    target: order.target,
    startedBy: order.starter.subject,
    createdAt: createdAt.toISOString(),
    endedAt: endedAt?.toISOString() ?? null,
    keys: {
      total,
      examined,
      upgraded,
      // What an earlier pass upgraded needs nothing in this one.
      unchanged: Math.max(0, unchanged - upgradedBefore),
      waiting,
      refused,
    },
  };
}
