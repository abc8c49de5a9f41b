import type { KeyMigrationRecord } from '../model/key-migration.ts';

/** The migrations of a unit of work. */
export interface MigrationRecords {
  /**
   * Adds a migration. Throws `CONFLICT` when its id was ever used, for a running one when another of its tenant is running, and when the tenant was shredded.
   */
  insert(migration: KeyMigrationRecord): Promise<void>;
  /** The migration as it is now; with `lock`, nobody else changes it until the unit ends. */
  get(migrationId: string, options?: { readonly lock?: boolean }): Promise<KeyMigrationRecord | undefined>;
  /** A page of the migrations of the scope, newest first. */
  list(query: MigrationQuery): Promise<MigrationPage>;
  /**
   * Stores the state, the progress, the holder and the times of a running migration whose stored revision is one less. Throws `CONFLICT`
   * for any other revision, and for one that has ended, which never changes again.
   */
  update(migration: KeyMigrationRecord): Promise<void>;
  /**
   * Up to `limit` running migrations that are due now, locked, the longest due first; what another unit has locked is passed over, and so
   * are those of shredded tenants and those with these ids. Only in the system scope.
   */
  lockDue(limit: number, except: readonly string[]): Promise<readonly KeyMigrationRecord[]>;
  /** Removes those of the scope that have ended, but for the newest `keep` of each tenant. */
  removeEnded(keep: number): Promise<void>;
}

/** Which page of migrations is listed. */
export interface MigrationQuery {
  /** From 1 to 200. */
  readonly limit: number;
  /** Where the page starts: after this one in the order of the list; default: at the beginning. */
  readonly after?: { readonly createdAt: Date; readonly migrationId: string } | null;
}

/** A page of migrations, newest first. */
export interface MigrationPage {
  readonly items: readonly KeyMigrationRecord[];
  /** Whether there is more after the last item. */
  readonly more: boolean;
}
