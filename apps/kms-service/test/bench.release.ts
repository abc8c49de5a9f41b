import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { startPostgres, tempDir } from '@qnsp/test-harness';
import { expect, test } from 'vitest';
import type { BenchResult } from '../bench/bench.ts';
import { measureEvidence } from '../bench/evidence/measure-evidence.ts';
import { measureFiles } from '../bench/files/measure-files.ts';
import { compareHits } from '../bench/in-process/compare-hits.ts';
import { measureCold } from '../bench/in-process/measure-cold.ts';
import { measureLifecycle } from '../bench/in-process/measure-lifecycle.ts';
import { measureRedis } from '../bench/in-process/measure-redis.ts';
import { measureChanges } from '../bench/load/measure-changes.ts';
import { measureCredentials } from '../bench/load/measure-credentials.ts';
import { measureFairness } from '../bench/load/measure-fairness.ts';
import { openTarget, postOf } from '../bench/load/target.ts';
import { startBenchService } from '../bench/load/start-sides.ts';
import { startSteadyLoader, withoutOwnWaits } from '../bench/load/steady-load.ts';
import { comparePeer } from '../bench/peers/compare-peer.ts';
import { ownSide } from '../bench/peers/own-side.ts';
import { ROWS } from '../bench/peers/peer.ts';
import { measureIdle } from '../bench/process/measure-idle.ts';
import { measureMemory } from '../bench/process/measure-memory.ts';
import { measureStart, onPostgres } from '../bench/process/measure-start.ts';
import { renderSection, writeSection } from '../bench/report.ts';
import { measureScale } from '../bench/scale/measure-scale.ts';
import { compareSides } from '../bench/slices.ts';

const postgresUrl = process.env['TEST_DATABASE_URL'] ?? '';
const redisUrl = process.env['TEST_REDIS_URL'] ?? '';
const quiet = () => undefined;

/** What every result is, whatever was measured on whatever machine. */
function expectWhole({ columns, rows, holds }: BenchResult): void {
  for (const row of rows) expect(row).toHaveLength(columns.length);
  expect(rows.flat().filter((cell) => /NaN|undefined|Infinity/.test(cell))).toEqual([]);
  expect(holds).toBe(rows.every((row) => row.at(-1) !== '**no**'));
}

test('a cold key takes one statement that uses indexes alone', async () => {
  const result = await measureCold(postgresUrl, quiet, { keys: 2000, slices: 1, calls: 3 });
  expectWhole(result);
  expect(result.rows.slice(1)).toEqual([
    ['statements', '1.0', '1.0', '', '≤ 1', 'yes'],
    ['index scans', '2.0', '2.0', '', '≤ 2', 'yes'],
    ['sequential scans', '0.0', '0.0', '', '≤ 0', 'yes'],
  ]);
});

test('the benchmark of Redis measures keys that come from there', async () => {
  const result = await measureRedis({ postgresUrl, redisUrl }, quiet, { keys: 5, slices: 2, calls: 10 });
  expect(result.rows).toHaveLength(1);
  expect(result.rows[0]).toHaveLength(result.columns.length);
});

test('the benchmark of the lifecycle writes what the service writes', async () => {
  const result = await measureLifecycle(postgresUrl, quiet, { slices: 1, calls: 9 });
  expectWhole(result);
  expect(result.rows.map((row) => row.slice(0, 2))).toEqual([
    ['create a key', '1'],
    ['rotate a key', '1'],
    ['create a key', '8'],
    ['rotate a key', '8'],
  ]);
});

test('the benchmark of the start sees the service become ready', async () => {
  const result = await measureStart([await onPostgres(postgresUrl)], quiet, { starts: 1 });
  expectWhole(result);
  expect(result.rows).toHaveLength(1);
});

test('the benchmark of an idle service sees it wake up', async () => {
  const result = await measureIdle(postgresUrl, quiet, { slices: 1, seconds: 3, settledSeconds: 0 });
  expectWhole(result);
  expect(result.rows.map(([what]) => what)).toEqual(['processor time', 'the event loop wakes up']);
  // It proves several times a second that nothing has changed.
  expect(Number.parseInt(result.rows[1]?.[1] ?? '', 10)).toBeGreaterThan(0);
});

test('the benchmark of memory fills the caches and goes on serving', async () => {
  const result = await measureMemory(postgresUrl, quiet, { idleSeconds: 0, keys: 20, requests: 500 });
  expectWhole(result);
  expect(result.rows.map(([state]) => state)).toEqual([
    'idle',
    '20 keys used once',
    ...[100, 200, 300, 400, 500].map((sent) => `after ${sent} requests`),
  ]);
  expect(result.conditions.join()).toContain('20 of them were in memory');
});

test('the scale benchmark loads authentic keys and measures each operation on both sizes', async () => {
  const progress: string[] = [];
  const result = await measureScale(postgresUrl, (line) => void progress.push(line), {
    base: { tenants: 1, keysPerTenant: 12 },
    large: { tenants: 3, keysPerTenant: 12 },
    slices: 1,
    calls: 3,
  });
  expect(result.columns).toEqual(['operation', '12 keys', '36 keys', 'ratio', '≤ 2×']);
  expect(result.rows).toHaveLength(5);
  for (const row of result.rows) expect(row).toHaveLength(result.columns.length);
  expect(result.holds).toBe(result.rows.every((row) => row.at(-1) === 'yes'));
  expect(progress[1]).toMatch(/^36 keys loaded/);
});

test('the benchmark of files goes every way, and a file is the same after each', { timeout: 600_000 }, async () => {
  const progress: string[] = [];
  const result = await measureFiles(2, 1, (line) => void progress.push(line));
  expect(result.columns).toEqual(['', 'speed', 'speed ÷ openssl ≥ 0.50', 'memory ≤ 200 MB', 'holds']);
  expect(result.rows.map(([what]) => what)).toEqual(
    [
      'command line, file to file',
      'command line, pipe to file',
      'command line, pipe to pipe',
      'TypeScript, file to file',
    ].flatMap((way) => [`encrypt, ${way}`, `decrypt, ${way}`]),
  );
  // A process of Node.js alone has this much.
  for (const [, , , memory = ''] of result.rows) expect(Number.parseInt(memory, 10)).toBeGreaterThan(30);
  expect(progress).toEqual(['round 1 of 1']);
});

test('the evidence benchmark measures a service with evidence beside one without', { timeout: 600_000 }, async () => {
  const url = process.env['TEST_DATABASE_URL'] ?? '';
  const result = await measureEvidence(url, () => undefined, { rounds: 1, roundMs: 100, warmUpMs: 10 });
  expect(result.rows.map(([what]) => what)).toEqual([
    'throughput',
    'throughput, delivered',
    'requests per processor-second',
    'median time',
  ]);
  for (const row of result.rows) expect(row).toHaveLength(result.columns.length);
  expect(result.holds).toBe(result.rows.every((row) => row.at(-1) !== '**no**'));
});

test('the benchmark of fair shares measures a tenant beside one that keeps everything busy', {
  timeout: 300_000,
}, async () => {
  const result = await measureFairness(postgresUrl, quiet, {
    algorithm: 'sphincs-sha2-128f-simple',
    connections: 4,
    items: 1000,
    slices: 1,
    seconds: 1,
    perSecond: 50,
    warmUp: 50,
  });
  expectWhole(result);
  expect(result.rows.map(([what]) => what)).toEqual([
    'encrypt, AES-256-GCM, p99',
    'the same as the load saw it, which shares the processors',
    'the event loop waits for a processor, for each',
    'sign, ML-DSA-65, p99',
    'create a key, ML-DSA-65, p99',
    'the first tenant, of the free processors',
  ]);
});

test('a comparison with another service measures every operation on both', { timeout: 600_000 }, async () => {
  const service = await startBenchService(postgresUrl);
  try {
    const measured = async (name: string) => ({
      side: { ...(await ownSide(service, 'AAAA')), name },
      pids: [service.child.pid ?? 0],
    });
    const options = { slices: 1, requests: 400, warmUp: 20 };
    const result = await comparePeer(await measured('one'), await measured('other'), quiet, options);
    expectWhole(result);
    expect(result.rows.map(([row]) => row)).toEqual(ROWS);
    expect(result.columns.slice(1, 3)).toEqual(['one', 'other']);
  } finally {
    await service.stop();
  }
});

test('load is answered whatever way a server says how long its answers are', async () => {
  const lengths = [0, 1, 4096, 300_000];
  let served = 0;
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      const body = 'x'.repeat(lengths[served % lengths.length] ?? 0);
      const way = Math.floor(served / lengths.length) % 3;
      served += 1;
      if (way === 0) response.writeHead(204).end();
      else if (way === 1) response.writeHead(200, { 'content-length': body.length }).end(body);
      else response.writeHead(200).write(body.slice(0, 1000), () => response.end(body.slice(1000)));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const target = await openTarget((server.address() as AddressInfo).port, 3);
  try {
    await target.closedLoop(postOf('/', {}), 60);
    expect(served).toBe(60);
  } finally {
    target.close();
    server.close();
  }
});

test('a steady load is timed from when each request was due, but for what it waited itself', async () => {
  let served = 0;
  const server = createServer((request, response) => {
    served += 1;
    const status = served > 40 ? 503 : 200;
    const answer = () => response.writeHead(status, { 'content-length': 0 }).end();
    // The second one has to wait for the first, which has the only connection.
    request.resume().on('end', () => (served === 1 ? setTimeout(answer, 300) : answer()));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const loader = await startSteadyLoader();
  try {
    const load = { port: (server.address() as AddressInfo).port, request: postOf('/', {}), perSecond: 200 };
    const one = await loader.run({ ...load, connections: 1, count: 10 });
    expect(one).toHaveLength(10);
    const [first = 0, second = 0] = one.map(({ took }) => took);
    expect(first).toBeGreaterThan(250);
    expect(second).toBeGreaterThan(250);
    expect(withoutOwnWaits(one)).toEqual(one.map(({ took, ownWait }) => took - ownWait));
    for (const { took, ownWait } of one) {
      expect(ownWait).toBeGreaterThanOrEqual(0);
      expect(ownWait).toBeLessThanOrEqual(took);
    }
    expect(await loader.run({ ...load, connections: 3, count: 30 })).toHaveLength(30);
    expect(served).toBe(40);
    await expect(loader.run({ ...load, connections: 1, count: 1 })).rejects.toThrow('503');
  } finally {
    await loader.close();
    server.close();
  }
});

test('the benchmark of credentials calls with each kind', { timeout: 300_000 }, async () => {
  const result = await measureCredentials(postgresUrl, quiet, { slices: 1, requests: 100, warmUp: 10 });
  expectWhole(result);
  expect(result.rows.map(([what]) => what)).toEqual(['processor time of a request']);
});

test('the benchmark of changes creates and rotates keys, young and old', { timeout: 300_000 }, async () => {
  const postgres = await startPostgres();
  try {
    const result = await measureChanges(postgres, quiet, { slices: 1, calls: 8 });
    expectWhole(result);
    expect(result.rows.map(([what]) => what)).toEqual([
      'create an AES key',
      'rotate a key of 2 to 4 versions',
      'rotate a key of 300 versions',
    ]);
  } finally {
    await postgres.stop();
  }
});

test('a comparison makes as many calls at once as it is told, and each once', async () => {
  const calls: number[] = [];
  let running = 0;
  let most = 0;
  const step = async (index: number) => {
    calls.push(index);
    running += 1;
    most = Math.max(most, running);
    await setImmediate();
    running -= 1;
  };
  await compareSides(step, async () => undefined, { slices: 1, calls: 7, concurrency: 3 });
  expect(most).toBe(3);
  expect(calls).toEqual(Array.from({ length: 14 }, (_, index) => index));
});

test('a comparison of hits leaves out the calls that missed', async () => {
  let hits = 0;
  const other = async (index: number) => {
    if (index % 2 === 0) hits += 1;
    else await sleep(400);
  };
  const { other: took, share } = await compareHits(
    async () => undefined,
    other,
    () => hits,
    { slices: 2, calls: 10 },
  );
  expect(share).toBe(0.5);
  expect(took).toBeLessThan(200);
});

test('a comparison takes turns, drops the warm-up, and answers medians', async () => {
  const calls: string[] = [];
  const busy = (side: string) => async (index: number) => {
    calls.push(`${side}${index}`);
    const until = performance.now() + (side === 'a' ? 1 : 3);
    while (performance.now() < until);
  };
  const { base, other, ratio } = await compareSides(busy('a'), busy('b'), { slices: 3, calls: 2 });
  expect(calls).toEqual([0, 2, 4, 6].flatMap((from) => ['a', 'b'].flatMap((s) => [`${s}${from}`, `${s}${from + 1}`])));
  expect(base).toBeGreaterThanOrEqual(1);
  expect(other).toBeGreaterThanOrEqual(3);
  expect(ratio).toBeGreaterThan(1);
});

test('a benchmark that is run again replaces its section and leaves the others', async () => {
  const directory = tempDir('qnsp-bench-');
  const path = join(directory.path, 'benchmarks.md');
  const section = (name: string, cell: string) =>
    renderSection(
      { name, summary: `Measures ${name}.` },
      { conditions: ['idle'], columns: ['what'], rows: [[cell]], holds: cell !== 'slow' },
      { machine: 'a machine', date: new Date('2026-01-02T03:04:05Z') },
    );
  writeFileSync(path, '# Benchmarks\n\nWritten by a program.\n');
  for (const [name, cell] of [
    ['scale', 'slow'],
    ['engine', 'fast'],
    ['scale', 'quick'],
  ] as const)
    writeSection(path, name, section(name, cell));
  const report = readFileSync(path, 'utf8');
  expect(report.match(/^## .*$/gm)).toEqual(['## engine', '## scale']);
  expect(report).toContain('Written by a program.');
  expect(report).toContain('| quick |\n\nEvery target holds.\n\n- idle\n- a machine\n- 2026-01-02\n');
  expect(report).not.toContain('slow');
  expect(section('scale', 'slow')).toContain('**Not every target holds.**');
  await directory.remove();
});
