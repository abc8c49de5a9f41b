import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { residentBytes } from '../../bench/process/resident-bytes.ts';
import { startFleet } from './fleet.ts';

const MINUTES = 10;
const SAMPLE_MS = 5000;
const KEYS = 600;
const MEBIBYTE = 1024 * 1024;
const DATA = Buffer.from('data').toString('base64');

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

test('memory is flat while keys come, change and are displaced', { timeout: (MINUTES + 3) * 60_000 }, async () => {
  // Room for a third of the keys, so that the caches turn over all the time.
  const fleet = await startFleet(1, { KMS_CACHE_MAX_KEYS: String(KEYS / 3) });
  try {
    const paths: string[] = [];
    for (let index = 0; index < KEYS; index += 1) paths.push(await fleet.createKey());
    const endAt = performance.now() + MINUTES * 60_000;
    const failures: unknown[] = [];
    let served = 0;
    const clients = Array.from({ length: 4 }, async (_, client) => {
      for (let turn = client; performance.now() < endAt; turn += 7) {
        const path = paths[turn % paths.length] ?? '';
        const change = turn % 50 === 0;
        const answer = await (change
          ? fleet.call(0, 'PATCH', path, { name: `turn ${turn}` })
          : fleet.call(0, 'POST', `${path}/encrypt`, { plaintext: DATA }));
        if (answer.status === 200) served += 1;
        else failures.push(answer);
        await sleep(2);
      }
    });
    const pid = fleet.nodes[0]?.service.child.pid ?? 0;
    const samples: number[] = [];
    while (performance.now() < endAt) {
      await sleep(SAMPLE_MS);
      samples.push(residentBytes(pid));
    }
    await Promise.all(clients);
    // The first half is for the process to grow into its work.
    const early = median(samples.slice(samples.length / 2, (3 * samples.length) / 4));
    const late = median(samples.slice((3 * samples.length) / 4));
    process.stdout.write(
      `${served} requests in ${MINUTES} minutes; resident in the third quarter ${(early / MEBIBYTE).toFixed(1)} MiB, in the last ${(late / MEBIBYTE).toFixed(1)} MiB\n`,
    );
    expect(failures).toEqual([]);
    expect(late).toBeLessThan(1.1 * early);
  } finally {
    await fleet.end();
  }
});
