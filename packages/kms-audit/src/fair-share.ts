/** A tenant may have this many times what is free. */
const TIMES_FREE = 9;

/**
 * Whether somebody has the maximum share of a bounded space: nine times what is left of it (dynamic thresholds,
 * Choudhury and Hahne 1998). One alone gets nine tenths; none of several can take the rest from those who have little.
 */
export function hasShare(own: number, all: number, room: number): boolean {
  return own > 0 && own >= TIMES_FREE * (room - all);
}

/** Above which amount somebody may have their share: below it nobody needs to be checked. */
export function mayHaveShare(all: number, room: number): boolean {
  return hasShare(all, all, room);
}
