/** A tenant may have so many times what is free. */
const TIMES_FREE = 9;

/**
 * Whether somebody has as much of a bounded room as may be had: nine times what is left of it (dynamic thresholds, Choudhury
 * and Hahne 1998). One alone gets nine tenths; of several none can take the rest from those who have little.
 */
export function hasShare(own: number, all: number, room: number): boolean {
  return own > 0 && own >= TIMES_FREE * (room - all);
}

/** From how much on somebody may have their share: below it nobody has to be looked at. */
export function mayHaveShare(all: number, room: number): boolean {
  return hasShare(all, all, room);
}
