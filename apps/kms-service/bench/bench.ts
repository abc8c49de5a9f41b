/** A benchmark, as the default export of a file `NAME.bench.ts`; `npm run bench -- NAME` runs it. */
export interface Bench {
  readonly name: string;
  /** What it shows, in one sentence; stands above its table. */
  readonly summary: string;
  /** Starts what it needs, measures, and ends it again. `say` reports the progress. */
  run(say: (progress: string) => void): Promise<BenchResult>;
}

/** What was measured, as it stands in `docs/benchmarks.md`. */
export interface BenchResult {
  /** What the numbers depend on besides the machine: sizes, settings, how it was measured. */
  readonly conditions: readonly string[];
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Whether every target holds. */
  readonly holds: boolean;
}
