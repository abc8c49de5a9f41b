import { randomBytes } from 'node:crypto';
import { softwareRoot } from '@qnsp/kms-core';
import { KeyHierarchy } from '@qnsp/kms-core/internal';
import { openPostgresStore } from '@qnsp/kms-store-drizzle';
import type { PostgresServer } from '@qnsp/test-harness';
import type { BenchResult } from '../bench.ts';
import { inTurns } from '../peers/in-turns.ts';
import { type BenchTenant } from '../scale/generate-keys.ts';
import { loadKeys } from '../scale/load-keys.ts';
import { median } from '../slices.ts';
import { allHold, verdict } from '../verdict.ts';
import { cpuSecondsOfAll } from './cpu-time.ts';
import { type BenchService, startBenchService } from './start-sides.ts';
import { openTarget, postOf } from './target.ts';

/** How many requests are under way at once, one on each connection. */
const CONCURRENCY = 16;

/** A change of keys, and the most that one may take, in milliseconds of processor time. */
interface MeasuredChange {
  readonly name: string;
  readonly most: number;
  /** The requests, and how many slices of them there are for one of the first row. */
  readonly requests: (side: ChangedService, calls: number) => Promise<readonly Buffer[]>;
}

export interface ChangeOptions {
  /** How many slices of each change count; one more comes first. */
  readonly slices: number;
  /** How many requests a slice has. */
  readonly calls: number;
}

interface ChangedService {
  readonly service: BenchService;
  readonly tenant: BenchTenant;
}

const CHANGES: readonly MeasuredChange[] = [
  {
    name: 'create an AES key',
    most: 1.5,
    requests: async ({ service: { token } }) => [postOf('/kms/v1/keys', {}, token)],
  },
  { name: 'rotate a key of 2 to 4 versions', most: 2.5, requests: (side, calls) => rotations(side, 2 * calls, 1) },
  {
    name: 'rotate a key of 300 versions',
    most: 2.5,
    requests: (side, calls) => rotations(side, Math.ceil(calls / 4), 290),
  },
];

/** Measures the processor time that changes of keys take, in the service and in PostgreSQL. */
export async function measureChanges(
  postgres: Pick<PostgresServer, 'url' | 'pid'>,
  say: (progress: string) => void,
  { slices, calls }: ChangeOptions,
  nodeArgs: readonly string[] = [],
  changes: readonly MeasuredChange[] = CHANGES,
): Promise<BenchResult> {
  const rootKey = randomBytes(32);
  const service = await startBenchService(postgres.url, { KMS_ROOT_KEY: rootKey.toString('base64') }, nodeArgs);
  const opened = await openPostgresStore({ url: service.databaseUrl, ssl: 'disable', migrate: 'off' });
  const target = await openTarget(service.port, CONCURRENCY);
  const rows: string[][] = [];
  try {
    const hierarchy = new KeyHierarchy(opened.store, [softwareRoot('software', rootKey)]);
    const { tenantId } = service;
    const tenant = { tenantId, chain: await hierarchy.masterKeys(tenantId) };
    const pid = service.child.pid ?? 0;
    for (const { name, most, requests } of changes) {
      const next = inTurns(await requests({ service, tenant }, calls));
      const spent: { readonly own: number; readonly database: number }[] = [];
      for (let slice = 0; slice <= slices; slice += 1) {
        const before = [cpuSecondsOfAll(pid), cpuSecondsOfAll(postgres.pid)] as const;
        await target.closedLoop(next, calls);
        const perCall = (seconds: number) => (seconds / calls) * 1000;
        if (slice === 0) continue;
        spent.push({
          own: perCall(cpuSecondsOfAll(pid) - before[0]),
          database: perCall(cpuSecondsOfAll(postgres.pid) - before[1]),
        });
      }
      const own = median(spent.map((one) => one.own));
      const database = median(spent.map((one) => one.database));
      const both = median(spent.map((one) => one.own + one.database));
      const times = [own, database, both].map((milliseconds) => `${milliseconds.toFixed(2)} ms`);
      rows.push([name, ...times, `≤ ${most.toFixed(1)} ms`, verdict(both <= most)]);
      say(`${name}: ${times.join(', ')}`);
    }
  } finally {
    target.close();
    await opened.close();
    await service.stop();
  }
  return {
    columns: ['processor time of a change', 'service', 'PostgreSQL', 'together', 'target', 'holds'],
    rows,
    holds: allHold(rows),
    conditions: [
      `over HTTP, ${CONCURRENCY} connections, each sends its next request when it has its answer; AES-256 keys in software, without evidence; ` +
        `medians of ${slices} slices of ${calls} requests, after one that does not count`,
      'all processes of the service and of PostgreSQL, with those that write the log of transactions; durable commits',
    ],
  };
}

/** Requests that rotate so many new keys of so many versions in turn. */
async function rotations(
  { service, tenant }: ChangedService,
  keys: number,
  versions: number,
): Promise<readonly Buffer[]> {
  const keyIds = await loadKeys(service.databaseUrl, tenant, keys, versions);
  return keyIds.map((keyId) => postOf(`/kms/v1/keys/${keyId}/rotate`, {}, service.token));
}
