/**
 * How far the wall clock may drift from the running time of the process before it means something. Together with the
 * time for which a proof may be used it must stay below a second, even on a machine that sleeps for a moment.
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

  /** Whether an incoming mark was sent by this node and is still outstanding. */
  isUnderWay(mark: string): boolean {
    return this.#sent.has(mark);
  }

  /** Whether others sent before this one are still outstanding: a connection that keeps the order has lost them. */
  overtakes(mark: string): boolean {
    if (!this.#sent.has(mark)) return false;
    const [oldest] = this.#sent.keys();
    return oldest !== mark;
  }

  /** Takes any incoming mark: one that this node sent is a proof, once. */
  received(mark: string): void {
    const sent = this.#sent.get(mark);
    if (sent === undefined) return;
    this.#proven = sent;
    for (const [earlier] of this.#sent) {
      this.#sent.delete(earlier);
      if (earlier === mark) return;
    }
  }

  /** The outstanding ones are lost. What was proven stays proven. */
  interrupted(): void {
    this.#sent.clear();
  }

  /** How long the oldest one has been outstanding, in milliseconds; 0 if none is. */
  overdueMs(): number {
    const [oldest] = this.#sent.values();
    return oldest === undefined ? 0 : performance.now() - oldest.monotonic;
  }

  /** When the last one that came back was sent, of `performance.now()`; `-Infinity` for none. Can be handed on by itself. */
  readonly provenAt = (): number => {
    if (this.#proven === undefined) return -Infinity;
    const { monotonic, wall } = this.#proven;
    // On a machine that slept, the wall clock kept running and the monotonic clock did not.
    const drift = Date.now() - wall - (performance.now() - monotonic);
    return Math.abs(drift) > CLOCK_TOLERANCE_MS ? -Infinity : monotonic;
  };
}
