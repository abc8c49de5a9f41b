import type { Service } from '@qnsp/test-harness';
import { median } from '../slices.ts';
import { cpuSecondsOfAll } from './cpu-time.ts';
import type { Target } from './target.ts';

/** One side of a comparison: what is sent where. */
export interface Side {
  readonly service: Service;
  readonly target: Target;
  readonly request: Buffer;
}

export interface CpuOptions {
  /** How many slices of each side count. */
  readonly slices: number;
  /** How many requests a slice has. */
  readonly requests: number;
  /** How many requests each side gets before anything counts. */
  readonly warmUp: number;
}

export interface CpuComparison {
  /** Microseconds of processor time of one request, medians of the slices. */
  readonly base: number;
  readonly other: number;
  /** Requests per processor-second of `other`, divided by those of `base`: the median over neighbouring slices. */
  readonly ratio: number;
  /** The same of each pair of slices. */
  readonly ratios: readonly number[];
}

/** Neither side warms up for so long at a stretch that connections to the other one are closed because nothing is sent on them. */
const WARM_UP_TURNS = 10;

/** Compares the processor time of two servers slice by slice in turns, so that what else the machine does meets both. */
export async function compareCpu(base: Side, other: Side, options: CpuOptions): Promise<CpuComparison> {
  for (let turn = 0; turn < WARM_UP_TURNS; turn += 1) {
    for (const { target, request } of [base, other])
      await target.closedLoop(request, Math.ceil(options.warmUp / WARM_UP_TURNS));
  }
  const slices: { readonly base: number; readonly other: number }[] = [];
  for (let slice = 0; slice < options.slices; slice += 1) {
    slices.push({
      base: await cpuPerRequest(base, options.requests),
      other: await cpuPerRequest(other, options.requests),
    });
  }
  const ratios = slices.map((slice) => slice.base / slice.other);
  return {
    base: median(slices.map((slice) => slice.base)) * 1e6,
    other: median(slices.map((slice) => slice.other)) * 1e6,
    ratio: median(ratios),
    ratios,
  };
}

/** Seconds of processor time for each of these requests. */
async function cpuPerRequest({ service, target, request }: Side, requests: number): Promise<number> {
  const pid = pidOf(service);
  const before = cpuSecondsOfAll(pid);
  await target.closedLoop(request, requests);
  return (cpuSecondsOfAll(pid) - before) / requests;
}

/** The process of a service. */
function pidOf({ child }: Service): number {
  if (child.pid === undefined) throw new Error('the service runs');
  return child.pid;
}
