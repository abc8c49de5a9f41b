/**
 * By how much the clock on the wall may part from the running time of the process before it means something. With the
 * time for which a proof may be used it has to stay below a second, also on a machine that sleeps for a moment.
 */
const CLOCK_TOLERANCE_MS = 200;

interface Instant {
  /** Of `performance.now()`. */
  readonly monotonic: number;
  readonly wall: number;
}

/**
 * The heartbeats of one node: which were sent when, and until when the last one that came back proves everything to be
 * delivered. A heartbeat proves the time at which it was sent, not the time at which it arrived: it may have waited in a
 * buffer while this process was halted.
 */
export class Heartbeats {
  readonly #sent = new Map<string, Instant>();
  #proven: Instant | undefined;

  /** Call it before the heartbeat leaves. */
  sending(mark: string): void {
    this.#sent.set(mark, { monotonic: performance.now(), wall: Date.now() });
  }

  /** Whether a mark that comes in is on its way from this node. */
  isUnderWay(mark: string): boolean {
    return this.#sent.has(mark);
  }

  /** Whether others that were sent before this one are still on their way: a connection that keeps the order has lost them. */
  overtakes(mark: string): boolean {
    if (!this.#sent.has(mark)) return false;
    const [oldest] = this.#sent.keys();
    return oldest !== mark;
  }

  /** Whatever mark came in: one that this node sent is a proof, once. */
  received(mark: string): void {
    const sent = this.#sent.get(mark);
    if (sent === undefined) return;
    this.#proven = sent;
    for (const [earlier] of this.#sent) {
      this.#sent.delete(earlier);
      if (earlier === mark) return;
    }
  }

  /** The ones on their way are lost. What was proven stays proven. */
  interrupted(): void {
    this.#sent.clear();
  }

  /** How long the oldest one is on its way, in milliseconds; 0 when none is. */
  overdueMs(): number {
    const [oldest] = this.#sent.values();
    return oldest === undefined ? 0 : performance.now() - oldest.monotonic;
  }

  provenAt(): number {
    if (this.#proven === undefined) return -Infinity;
    const { monotonic, wall } = this.#proven;
    // A machine that was asleep has a clock on the wall that went on and a monotonic one that did not.
    const drift = Date.now() - wall - (performance.now() - monotonic);
    return Math.abs(drift) > CLOCK_TOLERANCE_MS ? -Infinity : monotonic;
  }
}
