const MILLISECONDS_PER_DAY = 24 * 60 * 60 * 1000;

/** How long what a process was told of is remembered outside the database: longer than a fleet is off for a repair. */
export const REMEMBERED_MS = 30 * MILLISECONDS_PER_DAY;

/**
 * When the database forgets a process that no longer commits anything. Later than anything else does, even by a clock
 * that is wrong by days: what is remembered elsewhere and not here is taken for a loss.
 */
export const FORGOTTEN_AFTER_MS = 2 * REMEMBERED_MS;
