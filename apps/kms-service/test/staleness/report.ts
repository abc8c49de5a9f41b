import type { RoundResult } from './round.ts';

/** The p-th percentile of some numbers, by the nearest rank. */
export function percentile(values: readonly number[], p: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)] ?? 0;
}

/** A table of when the last success came after the acknowledged change, in milliseconds over nodes and rounds. */
export function staleness(results: readonly RoundResult[]): string {
  const names = [...new Set(results.map(({ trouble }) => trouble))];
  const row = (name: string, of: readonly RoundResult[]): string => {
    // The node that made the change sees it at once; the others are of interest.
    const times = of.flatMap(({ lastSuccessMs }) => lastSuccessMs.slice(1));
    const cells = [50, 99, 100].map((p) => percentile(times, p)).map((ms) => ms.toFixed(1).padStart(8));
    return `${name.padEnd(42)}${String(of.length).padStart(7)}${cells.join('')}`;
  };
  return [
    `${'last success after the change, in ms'.padEnd(42)} rounds     p50     p99     max`,
    ...names.map((name) =>
      row(
        name,
        results.filter(({ trouble }) => trouble === name),
      ),
    ),
    row('all', results),
  ].join('\n');
}
