import { FairQueue, type Queued } from '@qnsp/kms-core/internal';

/** No lane became free in time, or too many are already waiting. */
export class LanesBusy extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'LanesBusy';
  }
}

interface Waiter {
  readonly take: (lane: number) => void;
  readonly refuse: (error: LanesBusy) => void;
  readonly timer: NodeJS.Timeout;
}

/** Who wants a lane, and for how much. */
export interface LaneWish {
  /** Callers of different owners get equal shares. */
  readonly owner: string;
  /** How much work it is, compared with that of others. */
  readonly units: number;
}

/**
 * Hands out the sessions of a token to a bounded number of callers, in fair shares of their owners: one who has none goes before one who has
 * some, and where too many wait, those who have most waiting are refused first.
 */
export class LanePool {
  readonly #free: number[];
  readonly #queue = new FairQueue<Waiter>();
  readonly #held = new Map<number, Queued<Waiter>>();
  readonly #queueLimit: number;

  constructor(size: number, queueLimit: number) {
    this.#queueLimit = queueLimit;
    this.#free = Array.from({ length: size }, (_, lane) => lane);
  }

  get busy(): number {
    return this.#held.size;
  }

  get queued(): number {
    return this.#queue.length;
  }

  /** @throws LanesBusy at once when the queue is full, later when it is full of the owner's, or after `limitMs`. */
  acquire({ owner, units }: LaneWish, limitMs: number): Promise<number> {
    if (this.#free.length === 0 && this.#queue.length >= this.#queueLimit && !this.#makeRoom(owner))
      return Promise.reject(tooMany());
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#queue.leave(queued);
        reject(new LanesBusy('no session became free in time'));
      }, limitMs);
      const queued = this.#queue.push(owner, units, { take: resolve, refuse: reject, timer });
      this.#handOut();
    });
  }

  release(lane: number): void {
    const holder = this.#held.get(lane);
    if (holder === undefined) return;
    this.#held.delete(lane);
    this.#queue.done(holder);
    this.#free.push(lane);
    this.#handOut();
  }

  #handOut(): void {
    for (let lane = this.#free.pop(); lane !== undefined; lane = this.#free.pop()) {
      const next = this.#queue.next();
      if (next === undefined) {
        this.#free.push(lane);
        return;
      }
      clearTimeout(next.item.timer);
      this.#held.set(lane, next);
      next.item.take(lane);
    }
  }

  /** Refuses what came last of the one who has the most waiting, if they still have no fewer than the newcomer afterwards. */
  #makeRoom(owner: string): boolean {
    const most = this.#queue.longest();
    if (most === undefined || most.length - 1 < this.#queue.waitingOf(owner) + 1) return false;
    clearTimeout(most.newest.item.timer);
    this.#queue.leave(most.newest);
    most.newest.item.refuse(tooMany());
    return true;
  }
}

function tooMany(): LanesBusy {
  return new LanesBusy('too many calls are already waiting for it');
}
