import type { Answers, KeyRef, Request } from '../protocol/messages.ts';

/** For this long after C_Initialize the module's view of the token is trusted. */
const FRESH_MS = 1000;
/**
 * Only after this long is the view of a process again assumed to be out of date: a key that is really gone does not
 * cost a process each time.
 */
const CURRENT_MS = 5000;

/**
 * Tells a key that is not there from a token that is not there. A module whose token vanished may say that a key does
 * not exist, and continue to do so when the token is back, until C_Initialize: that must not pass for a destroyed key.
 */
export class TokenPresence {
  readonly #openedAt: number;
  readonly #now: () => number;
  /** Keys that were used in this connection: the first one, which is the root where there is one, and the last. */
  #witnesses: readonly KeyRef[] = [];

  /** @param now milliseconds on a clock that never goes back */
  constructor(now: () => number) {
    this.#now = now;
    this.#openedAt = now();
  }

  /** Takes note of what was answered. */
  answered(request: Request): void {
    if (request.op === 'destroy')
      this.#witnesses = this.#witnesses.filter(({ id }) => id === null || Buffer.compare(id, request.id) !== 0);
    else if ('ref' in request && request.op !== 'find') {
      const [first = request.ref] = this.#witnesses;
      this.#witnesses = sameKey(first, request.ref) ? [first] : [first, request.ref];
    }
  }

  /**
   * Whether what was not found may exist all the same, because the module has not yet noticed that another process made
   * it. SoftHSM misses what is made while the process itself makes something.
   */
  mayBeBehind(request: Request): boolean {
    const isAboutOneKey =
      request.op === 'destroy' || ('ref' in request && request.op !== 'find' && request.ref.id !== null);
    return isAboutOneKey && this.#now() - this.#openedAt >= CURRENT_MS;
  }

  /**
   * Whether the token itself may be what is missing, when something was not found.
   *
   * @param isThere looks for a key that was there before
   */
  async mayHaveVanished(request: Request, isThere: (ref: KeyRef) => Promise<boolean>): Promise<boolean> {
    if (this.#now() - this.#openedAt < FRESH_MS) return false;
    for (const witness of this.#witnesses) {
      const isAskedFor = 'ref' in request && sameKey(request.ref, witness);
      if (!isAskedFor && (await isThere(witness))) return false;
    }
    return true;
  }
}

/** Whether an answer says that nothing was there. */
export function foundNothing(request: Request, answer: Answers[keyof Answers]): boolean {
  if (request.op === 'destroy') return answer === 0;
  return (request.op === 'find' || request.op === 'objects') && Array.isArray(answer) && answer.length === 0;
}

function sameKey(a: KeyRef, b: KeyRef): boolean {
  return a.kind === b.kind && a.label === b.label && Buffer.compare(a.id ?? Buffer.of(), b.id ?? Buffer.of()) === 0;
}
