import type { BenchResult } from '../bench.ts';
import { cpuSecondsOfAll } from '../load/cpu-time.ts';
import { openTarget, type Target } from '../load/target.ts';
import { median } from '../slices.ts';
import { type PeerSide, type Row, ROWS } from './peer.ts';

/** How many requests are under way at once, one on each connection. */
const CONCURRENCY = 16;
const WARM_UP_TURNS = 10;
/** Rows whose requests are this many times as dear as an encryption get that many times fewer. */
const DEAR: Partial<Record<Row, number>> = {
  'encrypt a batch of 100': 20,
  'rotate a young key': 10,
  'create an AES key': 10,
};

export interface PeerOptions {
  /** How many slices of each side count. */
  readonly slices: number;
  /** How many requests a slice has, of the cheap ones. */
  readonly requests: number;
  /** How many requests each side gets before anything counts. */
  readonly warmUp: number;
}

/** A side and the processes whose time is its time: its server's, and its database's if that is another. */
export interface MeasuredSide {
  readonly side: PeerSide;
  readonly pids: readonly number[];
}

/** Compares two services in turns, by the processor time that they take on this machine. */
export async function comparePeer(
  own: MeasuredSide,
  peer: MeasuredSide,
  say: (progress: string) => void,
  slice: PeerOptions,
): Promise<BenchResult> {
  const [ownTarget, peerTarget] = [await openFor(own), await openFor(peer)];
  const rows: string[][] = [];
  try {
    for (const row of ROWS) {
      const requests = { own: own.side.requests[row], peer: peer.side.requests[row] };
      if (requests.own === undefined || requests.peer === undefined) continue;
      const fewer = DEAR[row] ?? 1;
      const count = Math.ceil(slice.requests / fewer);
      const sides = [
        { pids: own.pids, target: ownTarget, request: requests.own },
        { pids: peer.pids, target: peerTarget, request: requests.peer },
      ] as const;
      // In turns, so that no server closes connections on which nothing is sent for long.
      for (let turn = 0; turn < WARM_UP_TURNS; turn += 1) {
        for (const { request, target } of sides)
          await target.closedLoop(request, Math.ceil(slice.warmUp / fewer / WARM_UP_TURNS));
      }
      const pairs: { readonly own: number; readonly peer: number }[] = [];
      for (let index = 0; index < slice.slices; index += 1) {
        pairs.push({
          own: await secondsPerRequest(sides[0], count),
          peer: await secondsPerRequest(sides[1], count),
        });
      }
      const ratios = pairs.map((pair) => pair.peer / pair.own);
      const ratio = median(ratios);
      const range = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
      const micros = (of: 'own' | 'peer') => `${(median(pairs.map((pair) => pair[of])) * 1e6).toFixed(0)} µs`;
      rows.push([row, micros('own'), micros('peer'), ratio.toFixed(2), range, '≥ 1.00', ratio >= 1 ? 'yes' : '**no**']);
      say(`${row}: ${ratio.toFixed(2)} × the requests per processor-second of ${peer.side.name}`);
    }
  } finally {
    ownTarget.close();
    peerTarget.close();
  }
  return {
    columns: [
      'operation',
      own.side.name,
      peer.side.name,
      'requests per processor-second, ratio',
      'ratios of the slices',
      'target',
      'holds',
    ],
    rows,
    holds: rows.every((row) => row.at(-1) === 'yes'),
    conditions: [
      `processor time of the server processes for each request, those of PostgreSQL included; ${CONCURRENCY} connections, each sends ` +
        `its next request when it has its answer; medians of ${slice.slices} slices of ${slice.requests} requests (of dear ones fewer), in turns`,
      'both with authentication by a bearer token; this service with a log line for every request',
    ],
  };
}

function openFor({ side }: MeasuredSide): Promise<Target> {
  return openTarget(side.port, CONCURRENCY, side.host);
}

async function secondsPerRequest(
  { pids, target, request }: Pick<MeasuredSide, 'pids'> & { readonly target: Target; readonly request: () => Buffer },
  count: number,
): Promise<number> {
  const used = () => pids.reduce((sum, pid) => sum + cpuSecondsOfAll(pid), 0);
  const before = used();
  await target.closedLoop(request, count);
  return (used() - before) / count;
}
