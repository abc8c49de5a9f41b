import { randomBytes } from 'node:crypto';
import type { BenchResult } from '../bench.ts';
import { compareCpu, type CpuOptions } from './compare-cpu.ts';
import { CONCURRENCY } from './encrypt-sides.ts';
import { type BenchService, startBenchService, startFloor } from './start-sides.ts';
import { openTarget, postOf } from './target.ts';

const DATA = randomBytes(32).toString('base64');

interface Measured {
  readonly name: string;
  /** The least share of the floor's requests per processor-second. */
  readonly target: number;
  /** The floor's path and what it gets. */
  readonly floor: { readonly path: string; body(floorUrl: string): Promise<object> | object };
  /** The service's path and what it gets, for a key that is made first. */
  readonly service: (service: BenchService) => Promise<{ readonly path: string; readonly body: object }>;
}

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
    for (const measured of MEASURED) {
      const { path, body } = await measured.service(service);
      const { base, other, ratio } = await compareCpu(
        {
          service: floor,
          target: bare,
          request: postOf(measured.floor.path, await measured.floor.body(floor.baseUrl)),
        },
        { service, target: served, request: postOf(path, body, service.token) },
        options,
      );
      const held = ratio >= measured.target;
      holds &&= held;
      rows.push([
        measured.name,
        `${base.toFixed(1)} µs`,
        `${other.toFixed(1)} µs`,
        ratio.toFixed(2),
        `≥ ${measured.target.toFixed(2)}`,
        held ? 'yes' : '**no**',
      ]);
      say(`${measured.name}: ${ratio.toFixed(2)} of the floor`);
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

async function answerOf(url: string, body: object, field: string): Promise<string> {
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(body) });
  return String(((await response.json()) as Readonly<Record<string, unknown>>)[field]);
}

function signing(algorithm: string): Measured {
  return {
    name: `sign, ${algorithm}`,
    target: 0.7,
    floor: { path: `/sign-${algorithm}`, body: () => ({ data: DATA }) },
    service: async (service) => ({
      path: `/kms/v1/keys/${await service.createKey({ algorithm })}/sign`,
      body: { data: DATA },
    }),
  };
}

const MEASURED: readonly Measured[] = [
  {
    name: 'encrypt',
    target: 0.8,
    floor: { path: '/encrypt', body: () => ({ plaintext: DATA }) },
    service: async (service) => ({
      path: `/kms/v1/keys/${await service.createKey()}/encrypt`,
      body: { plaintext: DATA },
    }),
  },
  {
    name: 'decrypt',
    target: 0.8,
    floor: {
      path: '/decrypt',
      body: async (url) => ({ ciphertext: await answerOf(`${url}/encrypt`, { plaintext: DATA }, 'ciphertext') }),
    },
    service: async (service) => {
      const path = `keys/${await service.createKey()}`;
      const { ciphertext } = await service.call('POST', `${path}/encrypt`, { plaintext: DATA });
      return { path: `/kms/v1/${path}/decrypt`, body: { ciphertext } };
    },
  },
  signing('ed25519'),
  signing('ecdsa-p256'),
];
