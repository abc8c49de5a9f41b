/** A sealed or delivered batch takes about as long as this many of its events. */
const BATCH_IN_EVENTS = 20;
const PAUSE_MS_PER_EVENT = 0.8;
/** While less is waiting, requests go first: some seconds of everything a process can do. */
const PATIENT_EVENTS = 50_000;
/** Or while less than this share of what may wait is waiting. */
const PATIENT_SHARE = 0.25;

export interface PaceOptions {
  /** Whether the process is so busy that its requests should go first. */
  readonly isBusy: () => boolean;
  /** How many events may wait in the store. */
  readonly maxBacklog: number;
}

/**
 * Leaves a busy process to its requests: pauses between batches leave sealing and delivering about a tenth of the time.
 * The more is waiting, the shorter they are, and from some point there are none.
 */
export class Pace {
  readonly #isBusy: () => boolean;
  readonly #mostPatient: number;
  #backlog = 0;

  constructor({ isBusy, maxBacklog }: PaceOptions) {
    this.#isBusy = isBusy;
    this.#mostPatient = Math.min(PATIENT_EVENTS, PATIENT_SHARE * maxBacklog);
  }

  setBacklog(events: number): void {
    this.#backlog = events;
  }

  /** How long to pause after a batch of this many events, in milliseconds. */
  pauseAfter(events: number): number {
    const patience = 1 - this.#backlog / this.#mostPatient;
    if (patience <= 0 || !this.#isBusy()) return 0;
    return patience * PAUSE_MS_PER_EVENT * (events + BATCH_IN_EVENTS);
  }
}
