import type { Tombstone } from '../model/tombstone.ts';

/** The database that a service works on, as one of the places where its data has lived. */
export interface DatabaseCopy {
  /** When the data was last served at the place that it was copied from; `null` where it began. */
  readonly dataAsOf: Date | null;
  /** When a service first saw the data at this place. */
  readonly noticedAt: Date;
  /**
   * How it was noticed: the data is at another place than it was served from, or it is at the same one and `behind`, because
   * it lacks what was acknowledged there.
   */
  readonly cause: 'place' | 'behind';
  /** How it was decided that this copy may serve, `null` while that is open. */
  readonly settled: SettledCopy | null;
}

/** How it was decided that a restored copy of the database may serve. */
export type SettledCopy =
  | { readonly at: Date; readonly by: 'operator' }
  /** What had ended by `tombstonesAsOf` has ended in this copy too. */
  | { readonly at: Date; readonly by: 'tombstones'; readonly tombstonesAsOf: Date };

/** What an operator brought along with a restored copy. */
export interface BroughtTombstones {
  /** When they were exported. */
  readonly exportedAt: Date;
  /** Those that say more than the copy does. */
  readonly toApply: readonly Tombstone[];
}

/**
 * How a service finds out that its database is a restored older copy: a copy is at another place than the data says. A
 * store that cannot tell has none of these.
 */
export interface DatabaseCopies {
  /** The present place, which is noted down at the first look. */
  look(): Promise<DatabaseCopy>;
  /**
   * Makes the present place a copy of what was served here until now, because that was more. The data is of the time when
   * those whose commits are missing committed the last that is there. Does nothing when the place was not noticed at this
   * time: then somebody has said so already.
   */
  declareBehind(noticedAt: Date, lacking: readonly string[]): Promise<void>;
  /** Forgets what was acknowledged to processes that have committed nothing since. */
  forgetProcesses(unusedSince: Date): Promise<void>;
  /**
   * Records that the data is served here now, which is the age of every copy made from here on. Returns whether it may
   * be: not at a place that was not checked, nor in a copy that is not settled.
   */
  keepAlive(): Promise<boolean>;
  /** The tombstones that were brought along, `undefined` without any. */
  tombstones(): Promise<BroughtTombstones | undefined>;
  /** Decides that this copy may serve; the first decision stands. */
  settle(
    how: { readonly by: 'operator' } | { readonly by: 'tombstones'; readonly tombstonesAsOf: Date },
  ): Promise<void>;
}
