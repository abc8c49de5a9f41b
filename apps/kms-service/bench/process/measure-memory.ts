import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type KeyId, softwareRoot } from '@qnsp/kms-core';
import { KeyHierarchy } from '@qnsp/kms-core/internal';
import { openPostgresStore } from '@qnsp/kms-store-drizzle';
import type { BenchResult } from '../bench.ts';
import { type BenchService, startBenchService } from '../load/start-sides.ts';
import { openTarget, postOf } from '../load/target.ts';
import { loadKeys } from '../scale/load-keys.ts';
import { allHold, verdict } from '../verdict.ts';
import { residentBytes } from './resident-bytes.ts';

/** Targets are in megabytes of a million bytes. */
const MEGABYTE = 1e6;
const IDLE_MEGABYTES = 120;
const CACHED_MEGABYTES = 250;
const MOST_GROWTH = 1.1;
const CONCURRENCY = 32;
const STEPS = 5;
const BODY = { plaintext: randomBytes(32).toString('base64') };

export interface MemoryOptions {
  readonly idleSeconds: number;
  /** How many keys are used once. */
  readonly keys: number;
  /** How many requests of one key are sent, in five steps. */
  readonly requests: number;
}

/** Measures the memory of the service: idle, with keys in memory, and while it goes on serving. */
export async function measureMemory(
  serverUrl: string,
  say: (progress: string) => void,
  { idleSeconds, keys, requests }: MemoryOptions,
): Promise<BenchResult> {
  const rows: string[][] = [];
  const note = (state: string, bytes: number, target?: { readonly text: string; readonly most: number }) => {
    const verdicts = target === undefined ? ['', ''] : [target.text, verdict(bytes <= target.most)];
    rows.push([state, megabytes(bytes), ...verdicts]);
    say(`${state}: ${megabytes(bytes)}`);
  };
  let cached = 0;
  await withService(serverUrl, async (service, resident) => {
    await sleep(idleSeconds * 1000);
    note('idle', resident(), atMost(IDLE_MEGABYTES));
    await useOnce(service, await loadInto(service, keys));
    cached = await heldKeys(service);
    note(`${keys.toLocaleString('en-US')} keys used once`, resident(), atMost(CACHED_MEGABYTES));
  });
  // Another process, whose memory nothing but these requests has filled.
  await withService(serverUrl, async (service, resident) => {
    const request = postOf(`/kms/v1/keys/${await service.createKey()}/encrypt`, BODY, service.token);
    const target = await openTarget(service.port, CONCURRENCY);
    let first: number | undefined;
    for (let step = 1; step <= STEPS; step += 1) {
      await target.closedLoop(request, requests / STEPS);
      const bytes = resident();
      first ??= bytes;
      const state = `after ${((step * requests) / STEPS).toLocaleString('en-US')} requests`;
      const flat = { text: `≤ ${MOST_GROWTH.toFixed(1)} × the first of these`, most: MOST_GROWTH * first };
      note(state, bytes, step === STEPS ? flat : undefined);
    }
    target.close();
  });
  return {
    columns: ['state', 'resident memory', 'target', 'holds'],
    rows,
    holds: allHold(rows),
    conditions: [
      'one process of the service on PostgreSQL, started with the options of `npm start`, with a log line for every request; idle is ' +
        `${idleSeconds} s after it was ready, with one tenant and one token made`,
      `AES keys, each used for one encryption; ${cached.toLocaleString('en-US')} of them were in memory at the end`,
      `the requests encrypt 32 bytes under one key, ${CONCURRENCY} at once, in a process of their own; 1 MB is 1,000,000 bytes`,
    ],
  };
}

async function withService(
  serverUrl: string,
  work: (service: BenchService, resident: () => number) => Promise<void>,
): Promise<void> {
  const service = await startBenchService(serverUrl);
  try {
    await work(service, () => residentBytes(service.child.pid ?? 0));
  } finally {
    await service.stop();
  }
}

/** Puts keys of the service's tenant into its database. */
async function loadInto(service: BenchService, count: number): Promise<readonly KeyId[]> {
  const opened = await openPostgresStore({ url: service.databaseUrl, ssl: 'disable', migrate: 'off' });
  try {
    const root = softwareRoot('software', Buffer.from(service.env['KMS_ROOT_KEY'] ?? '', 'base64'));
    const { tenantId } = service;
    const chain = await new KeyHierarchy(opened.store, [root]).masterKeys(tenantId);
    return await loadKeys(service.databaseUrl, { tenantId, chain }, count);
  } finally {
    await opened.close();
  }
}

async function useOnce(service: BenchService, keyIds: readonly KeyId[]): Promise<void> {
  const left = [...keyIds];
  const lane = async () => {
    const target = await openTarget(service.port, 1);
    for (let keyId = left.pop(); keyId !== undefined; keyId = left.pop())
      await target.closedLoop(postOf(`/kms/v1/keys/${keyId}/encrypt`, BODY, service.token), 1);
    target.close();
  };
  await Promise.all(Array.from({ length: 8 }, lane));
}

async function heldKeys({ baseUrl }: BenchService): Promise<number> {
  const metrics = await (await fetch(`${baseUrl}/metrics`)).text();
  return Number(/^kms_cache_keys (\d+)$/m.exec(metrics)?.[1]);
}

function atMost(limit: number) {
  return { text: `≤ ${limit} MB`, most: limit * MEGABYTE };
}

function megabytes(bytes: number): string {
  return `${(bytes / MEGABYTE).toFixed(0)} MB`;
}
