/** The clock by which a store judges what expires, known without asking the store. */
export interface StoreClock {
  /** Whole milliseconds since the epoch. Can be handed on by itself. */
  readonly now: () => number;
  /** What {@link machineAheadMs} was when the store last told its time, 0 before that. Cheap. */
  readonly measuredSkewMs: number;
  /** How many milliseconds the clock of this machine is ahead of the store's; `undefined` before the store told its time. */
  machineAheadMs(): number | undefined;
}
