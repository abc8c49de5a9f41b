import { hash } from 'node:crypto';

/** How many names a node tells the others of, those first that ask for the most. */
const MOST_TOLD = 200;
/** How many names are counted in a turn. */
const MOST_COUNTED = 100_000;
/** What all nodes together keep for those that nobody has asked for a name lately. */
const KEPT_BACK = 0.05;
/** A turn is no shorter, so that it says something. */
const LEAST_TURN_MS = 500;
/** A node that says the same for this many turns has ended without notice, and asks for nothing. */
const SILENT_TURNS = 4;

/** What a node was asked for in a turn, in units per second by name, and which turn it is. */
interface Told {
  readonly turn: number;
  readonly asked: Readonly<Record<string, number>>;
}

/**
 * Divides limits among nodes by what is asked of each. Turn by turn a node tells the others what it was asked for, what it refused
 * included, and takes the part of a limit that its own share of all that is.
 */
export class SharedDemand {
  readonly #nodes: () => number;
  readonly #now: () => number;
  #turn = 0;
  #began: number;
  #counting = new Map<string, number>();
  /** What this node told last. */
  #own: Told['asked'] = {};
  #others: readonly Told['asked'][] = [];
  readonly #heard = new Map<string, { readonly turn: number; silent: number }>();
  /** Of the names that were asked for in this turn, among so many nodes. */
  readonly #parts = new Map<string, number>();
  #amongNodes = 1;

  /** @param now milliseconds of a clock that never goes back */
  constructor(nodes: () => number, now: () => number) {
    this.#nodes = nodes;
    this.#now = now;
    this.#began = now();
  }

  /** Whether anything was asked for in the last turns. */
  get isInUse(): boolean {
    return this.#counting.size > 0 || Object.keys(this.#own).length > 0;
  }

  /** So much is asked for. */
  ask(name: string, cost: number): void {
    const before = this.#counting.get(name);
    if (before !== undefined || this.#counting.size < MOST_COUNTED) this.#counting.set(name, (before ?? 0) + cost);
  }

  /** Which part of a limit this node gives out, above 0 and at most 1. */
  part(name: string): number {
    const nodes = this.#nodes();
    if (nodes !== this.#amongNodes) {
      this.#amongNodes = nodes;
      this.#parts.clear();
    }
    const held = this.#parts.get(name);
    if (held !== undefined) return held;
    const part = this.#partOf(told(name), nodes);
    if (this.#parts.size < MOST_COUNTED) this.#parts.set(name, part);
    return part;
  }

  #partOf(name: string, nodes: number): number {
    const own = this.#own[name] ?? 0;
    const all = this.#others.reduce((sum, asked) => sum + (asked[name] ?? 0), own);
    return all === 0 ? 1 / nodes : (own / all + KEPT_BACK / nodes) / (1 + KEPT_BACK);
  }

  /** Ends a turn that was long enough: what the others are told. */
  tell(): string {
    const now = this.#now();
    const seconds = (now - this.#began) / 1000;
    if (seconds * 1000 >= LEAST_TURN_MS) {
      const most = [...this.#counting].sort(([, one], [, other]) => other - one).slice(0, MOST_TOLD);
      this.#own = Object.fromEntries(most.map(([name, cost]) => [told(name), Math.round(cost / seconds)]));
      this.#counting = new Map();
      this.#began = now;
      this.#turn += 1;
      this.#parts.clear();
    }
    return JSON.stringify({ turn: this.#turn, asked: this.#own } satisfies Told);
  }

  /** What each of the others told last, by its id. */
  hear(all: ReadonlyMap<string, string>): void {
    for (const node of this.#heard.keys()) if (!all.has(node)) this.#heard.delete(node);
    this.#others = [...all].flatMap(([node, text]) => {
      const { turn, asked } = read(text);
      const before = this.#heard.get(node);
      const silent = before?.turn === turn ? before.silent + 1 : 0;
      this.#heard.set(node, { turn, silent });
      return silent < SILENT_TURNS ? [asked] : [];
    });
    this.#parts.clear();
  }
}

/** What others are told in place of a name, which may say who somebody is. */
function told(name: string): string {
  return hash('sha256', name, 'base64url').slice(0, 16);
}

/** What does not read as such is of another release. */
function read(text: string): Told {
  try {
    const value = JSON.parse(text) as Partial<Told> | null;
    const asked = Object.entries(value?.asked ?? {}).filter(([, cost]) => Number.isFinite(cost) && cost >= 0);
    return { turn: Number(value?.turn), asked: Object.fromEntries(asked) };
  } catch (error) {
    if (error instanceof SyntaxError) return { turn: 0, asked: {} };
    throw error;
  }
}
