/** How long a loop works without a pause. */
const TURN_MS = 2;

/** Loops that wait for their turn, by whom they work for. Of the process, as the event loop is that they share. */
const waiting = new Map<string, (() => void)[]>();
let isTurning = false;

/**
 * The turns of a loop over records. After two milliseconds of work it waits for one round of the event loop, so that
 * other requests are read and answered in the meantime. In each round one loop continues, however many wait, and those
 * of one tenant take turns with those of another.
 *
 * It is used so:
 * const turns = new Turns(caller.tenantId);
 * for (const record of records) {
 *   await turns.pause();
 *   work(record);
 * }
 */
export class Turns {
  readonly #owner: string;
  #endsAt = performance.now() + TURN_MS;

  /** @param owner whom the loop works for: its tenant */
  constructor(owner: string) {
    this.#owner = owner;
  }

  /** What to wait for before the next record; nothing as long as the turn lasts. */
  pause(): Promise<void> | undefined {
    if (performance.now() < this.#endsAt) return undefined;
    return new Promise((resolve) => {
      enqueue(this.#owner, () => {
        this.#endsAt = performance.now() + TURN_MS;
        resolve();
      });
    });
  }
}

function enqueue(owner: string, goOn: () => void): void {
  const others = waiting.get(owner);
  if (others === undefined) waiting.set(owner, [goOn]);
  else others.push(goOn);
  if (isTurning) return;
  isTurning = true;
  setImmediate(turn);
}

function turn(): void {
  const [first] = waiting;
  if (first === undefined) {
    isTurning = false;
    return;
  }
  const [owner, loops] = first;
  const goOn = loops.shift();
  // Behind everybody else's.
  waiting.delete(owner);
  if (loops.length > 0) waiting.set(owner, loops);
  setImmediate(turn);
  goOn?.();
}
