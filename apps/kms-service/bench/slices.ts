/** One thing that is measured on two sides, called with a number that never comes twice. */
export type Step = (index: number) => Promise<unknown>;

export interface Comparison {
  /** Milliseconds that a slice takes for each of its calls, the median of the slices. */
  readonly base: number;
  readonly other: number;
  /** `other` divided by `base`: the median of the ratios of neighbouring slices. */
  readonly ratio: number;
  /** The same of each pair of slices. */
  readonly ratios: readonly number[];
}

export interface SliceOptions {
  /** How many slices of each side count. */
  readonly slices: number;
  /** How many calls a slice has. */
  readonly calls: number;
  /** How many calls are under way at once; one without it. */
  readonly concurrency?: number;
  /** What is measured, in milliseconds; the time on the wall without it. */
  readonly clock?: () => number;
}

/** Milliseconds of processor time that all threads of this process have taken so far. */
export function ownCpuMilliseconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/**
 * Compares two sides slice by slice in turns, so that whatever else the machine does meets both of them. The first
 * slice of each side warms up and does not count.
 */
export async function compareSides(base: Step, other: Step, options: SliceOptions): Promise<Comparison> {
  const { slices, calls } = options;
  const times: { readonly base: number; readonly other: number }[] = [];
  for (let slice = 0; slice <= slices; slice += 1) {
    const from = slice * calls;
    const pair = {
      base: await timePerCall(base, from, options),
      other: await timePerCall(other, from, options),
    };
    if (slice > 0) times.push(pair);
  }
  const ratios = times.map((pair) => pair.other / pair.base);
  return {
    base: median(times.map((pair) => pair.base)),
    other: median(times.map((pair) => pair.other)),
    ratio: median(ratios),
    ratios,
  };
}

async function timePerCall(step: Step, from: number, options: SliceOptions): Promise<number> {
  const { calls, concurrency = 1, clock = () => performance.now() } = options;
  let next = from;
  const lane = async () => {
    while (next < from + calls) {
      const index = next;
      next += 1;
      await step(index);
    }
  };
  const started = clock();
  await Promise.all(Array.from({ length: concurrency }, lane));
  return (clock() - started) / calls;
}

/** The middle of some numbers, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low = Number.NaN, high = low] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return (low + high) / 2;
}

/** The value that so many per cent of the numbers do not exceed (nearest rank). */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN;
}
