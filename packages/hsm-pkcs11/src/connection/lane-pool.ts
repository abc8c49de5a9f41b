/** No lane became free in time, or too many are already waiting. */
export class LanesBusy extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'LanesBusy';
  }
}

interface Waiter {
  readonly take: (lane: number) => void;
  readonly timer: NodeJS.Timeout;
}

/** Hands out the sessions of a token, first come, first served, to a bounded number of callers. */
export class LanePool {
  readonly #free: number[];
  readonly #waiting: Waiter[] = [];
  readonly #size: number;
  readonly #queueLimit: number;

  constructor(size: number, queueLimit: number) {
    this.#size = size;
    this.#queueLimit = queueLimit;
    this.#free = Array.from({ length: size }, (_, lane) => lane);
  }

  get busy(): number {
    return this.#size - this.#free.length;
  }

  get queued(): number {
    return this.#waiting.length;
  }

  /** @throws LanesBusy at once when the queue is full, or after `limitMs`. */
  acquire(limitMs: number): Promise<number> {
    const lane = this.#free.pop();
    if (lane !== undefined) return Promise.resolve(lane);
    if (this.#waiting.length >= this.#queueLimit)
      return Promise.reject(new LanesBusy('too many calls are already waiting for it'));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(new LanesBusy('no session became free in time'));
      }, limitMs);
      const waiter: Waiter = { take: resolve, timer };
      this.#waiting.push(waiter);
    });
  }

  release(lane: number): void {
    const next = this.#waiting.shift();
    if (next === undefined) {
      this.#free.push(lane);
      return;
    }
    clearTimeout(next.timer);
    next.take(lane);
  }
}
