import type { BenchResult } from '../bench.ts';
import { compareCpu, type CpuOptions } from './compare-cpu.ts';
import { CONCURRENCY } from './encrypt-sides.ts';
import { DECRYPT, ENCRYPT, type HotOperation, SIGN_ED25519, SIGN_P256, sidesOf } from './hot-operations.ts';
import { type BenchService, startBenchService, startFloor } from './start-sides.ts';
import { openTarget } from './target.ts';

interface Measured {
  readonly operation: HotOperation;
  /** The least share of the floor's requests per processor-second. */
  readonly target: number;
}

const MEASURED: readonly Measured[] = [
  { operation: ENCRYPT, target: 0.8 },
  { operation: DECRYPT, target: 0.8 },
  { operation: SIGN_ED25519, target: 0.7 },
  { operation: SIGN_P256, target: 0.7 },
];

/** Measures each operation on the service and on the floor. */
export async function measureRequests(
  serverUrl: string,
  say: (progress: string) => void,
  options: CpuOptions,
): Promise<BenchResult> {
  const service = await startBenchService(serverUrl);
  const floor = await startFloor();
  const [served, bare] = await Promise.all([
    openTarget(service.port, CONCURRENCY),
    openTarget(floor.port, CONCURRENCY),
  ]);
  const rows: string[][] = [];
  let holds = true;
  let lookups = '';
  try {
    for (const { operation, target } of MEASURED) {
      const sides = await sidesOf(operation, { service: floor, target: bare }, { service, target: served });
      const { base, other, ratio } = await compareCpu(...sides, options);
      const held = ratio >= target;
      holds &&= held;
      rows.push([
        operation.name,
        `${base.toFixed(1)} µs`,
        `${other.toFixed(1)} µs`,
        ratio.toFixed(2),
        `≥ ${target.toFixed(2)}`,
        held ? 'yes' : '**no**',
      ]);
      say(`${operation.name}: ${ratio.toFixed(2)} of the floor`);
    }
    lookups = await lookupsOf(service);
  } finally {
    served.close();
    bare.close();
    await service.stop();
    await floor.stop();
  }
  return {
    columns: ['operation', 'floor', 'service', 'requests per CPU-second, service ÷ floor', 'target', 'holds'],
    rows,
    holds,
    conditions: [
      `processor time of the server process for each request; ${CONCURRENCY} connections, each sends its next request when it has its ` +
        `answer; medians of ${options.slices} slices of ${options.requests} requests, in turns, after ${options.warmUp} that do not count`,
      'the service as in production: bearer token, PostgreSQL, caches, metrics and a log line for every request; the key is ' +
        'in memory; 32 bytes of data',
      lookups,
    ],
  };
}

/**
 * How often what is in memory could not be trusted because the proof of it was late, as on a machine that is busy with
 * something else: such a request reads the database, and what it costs is then not that of a hot key.
 */
async function lookupsOf({ baseUrl }: BenchService): Promise<string> {
  const metrics = await (await fetch(`${baseUrl}/metrics`)).text();
  const count = (result: string) => {
    const lines = metrics.matchAll(new RegExp(`^kms_cache_requests_total\\{.*result="${result}".*\\} (\\d+)$`, 'gm'));
    return [...lines].reduce((sum, [, number]) => sum + Number(number), 0);
  };
  const untrusted = count('untrusted');
  const share = (100 * untrusted) / (untrusted + count('hits') + count('misses'));
  return `${share.toFixed(1)} % of the look-ups of keys and tokens in memory had to be made in the database, because the machine was too busy to prove in time that nothing had changed`;
}
