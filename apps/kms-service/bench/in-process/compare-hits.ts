import { type Comparison, median, type SliceOptions, type Step } from '../slices.ts';

export interface HitComparison extends Omit<Comparison, 'ratios'> {
  /** Which share of the calls of `other` were hits. */
  readonly share: number;
}

/**
 * Compares two sides as `compareSides` does, but of `other` only the calls during which `hits` went up: a cache that answered too
 * late on a busy machine made its caller go another way.
 */
export async function compareHits(
  base: Step,
  other: Step,
  hits: () => number,
  { slices, calls }: Pick<SliceOptions, 'slices' | 'calls'>,
): Promise<HitComparison> {
  const times: { readonly base: number; readonly other: number }[] = [];
  let counted = 0;
  for (let slice = 0; slice <= slices; slice += 1) {
    const pair = { base: [] as number[], other: [] as number[] };
    for (let index = slice * calls; index < (slice + 1) * calls; index += 1) pair.base.push(await timed(base, index));
    for (let index = slice * calls; index < (slice + 1) * calls; index += 1) {
      const before = hits();
      const took = await timed(other, index);
      if (hits() > before) pair.other.push(took);
    }
    // The first slice warms up.
    if (slice === 0) continue;
    counted += pair.other.length;
    if (pair.other.length > 0) times.push({ base: median(pair.base), other: median(pair.other) });
  }
  return {
    base: median(times.map((pair) => pair.base)),
    other: median(times.map((pair) => pair.other)),
    ratio: median(times.map((pair) => pair.other / pair.base)),
    share: counted / (slices * calls),
  };
}

async function timed(step: Step, index: number): Promise<number> {
  const begun = performance.now();
  await step(index);
  return performance.now() - begun;
}
