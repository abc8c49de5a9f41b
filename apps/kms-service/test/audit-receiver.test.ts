import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { appendFileSync, mkdirSync, readFileSync, truncateSync } from 'node:fs';
import type { Server } from 'node:http';
import { join } from 'node:path';
import { makeReceiver } from '@qnsp/example-audit-receiver';
import {
  checkpointSigner,
  deliveryBody,
  emptyChain,
  type EvidenceEpoch,
  type SealedBatch,
  sealBatch,
  verifyExport,
} from '@qnsp/kms-audit';
import type { AuditEvent } from '@qnsp/kms-core';
import { newId } from '@qnsp/kms-core/ports';
import { mountSmallDisk, type TempDir, tempDir } from '@qnsp/test-harness';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { BEARER_TOKEN, listen, PUBLIC_KEY_PEM, SIGNING_KEY_PEM } from './evidence-sample.ts';

const signer = checkpointSigner(SIGNING_KEY_PEM);
const tenantId = newId();
const isRoot = process.getuid?.() === 0;
let directory: TempDir;
let server: Server | undefined;
let url: string;

beforeEach(() => {
  directory = tempDir('qnsp-receiver-');
});
afterEach(async () => {
  await stop();
  await directory.remove();
  vi.restoreAllMocks();
});

async function start(path = directory.path, publicKeyPem = PUBLIC_KEY_PEM): Promise<void> {
  server = makeReceiver({ bearerToken: BEARER_TOKEN, publicKeyPem, directory: path });
  url = `http://127.0.0.1:${await listen(server)}/audit/v1/kms-evidence`;
}

async function stop(): Promise<void> {
  server?.closeAllConnections();
  server?.close();
  server = undefined;
}

function sampleEvent(userAgent: string): AuditEvent {
  return {
    eventId: newId(),
    eventType: 'kms.encrypt',
    timestamp: '2026-03-01T10:00:00.001Z',
    tenantId,
    actor: { type: 'service', id: newId() },
    resource: { type: 'key', id: newId(), version: 1 },
    action: 'encrypt',
    result: 'success',
    context: { requestId: 'r-1', userAgent, source: 'api', ip: '127.0.0.1' },
    request: { contextKeys: [] },
  };
}

/** Batches of two events in one chain. */
async function chainOf(
  batches: number,
  userAgent = 'client/1',
  from = emptyChain(tenantId),
  epoch: EvidenceEpoch | null = null,
): Promise<SealedBatch[]> {
  const chain: SealedBatch[] = [];
  for (let head = from; chain.length < batches; ) {
    const batch = await sealBatch(signer, head, [sampleEvent(userAgent), sampleEvent(userAgent)], new Date(), epoch);
    chain.push(batch);
    head = batch.head;
  }
  return chain;
}

async function post(body: string, batchId: string, token = BEARER_TOKEN) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'idempotency-key': batchId },
    body,
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? {} : (JSON.parse(text) as object) };
}

function deliver(batch: SealedBatch | undefined, token?: string) {
  if (batch === undefined) throw new Error('the chain has this batch');
  return post(deliveryBody(batch), batch.checkpoint.checkpointId, token);
}

function stored(path = directory.path): string {
  return readFileSync(join(path, `${tenantId}.jsonl`), 'utf8');
}

function verified(text: string) {
  return verifyExport(text.trimEnd().split('\n'), { publicKeysPem: [PUBLIC_KEY_PEM] });
}

test('a batch is stored once, however often it comes', async () => {
  await start();
  const [first, second] = await chainOf(2);
  expect(await deliver(first)).toMatchObject({ status: 200, body: { stored: 'stored', events: 2 } });
  expect(await deliver(first)).toMatchObject({ status: 200, body: { stored: 'known' } });
  expect(await deliver(second)).toMatchObject({ status: 200, body: { stored: 'stored' } });
  expect(await verified(stored())).toMatchObject({ verified: true, events: 4 });
});

test('what is not to be stored is refused, and the refusal names the batch', async () => {
  await start();
  const [first] = await chainOf(1);
  const [other] = await chainOf(1);
  if (first === undefined || other === undefined) throw new Error('each chain has a batch');
  const batchId = first.checkpoint.checkpointId;
  expect((await deliver(first, 'another-token')).status).toBe(401);
  expect(await post('{"batchId":', batchId)).toMatchObject({ status: 400, body: { batchId } });
  const forged = { ...first, checkpoint: { ...first.checkpoint, timestamp: '2026-01-01T00:00:00.000Z' } };
  expect(await post(deliveryBody(forged), batchId)).toMatchObject({ status: 422, body: { batchId } });
  const edited = deliveryBody(first).replace('"success"', '"failure"');
  expect(await post(edited, batchId)).toMatchObject({ status: 422, body: { batchId } });
  expect(await post(' '.repeat(1024 * 1024 + 1), batchId)).toMatchObject({ status: 413, body: { batchId } });
  await deliver(first);
  const before = stored();
  // Signed with the right key, at a place that is taken.
  expect(await deliver(other)).toMatchObject({ status: 409, body: { batchId: other.checkpoint.checkpointId } });
  expect(stored()).toBe(before);
});

test('a restored service goes on in an epoch of its own, behind what is stored, and one that ended does not come back', async () => {
  const told = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  await start();
  const before = await chainOf(4);
  for (const batch of before.slice(0, 3)) await deliver(batch);
  const epoch = { since: '2026-04-01T00:00:00.000Z', dataAsOf: '2026-03-31T00:00:00.000Z' };
  const after = await chainOf(2, 'client/2', before[0]?.head, epoch);
  // Sealed and not delivered yet when the copy was made: it comes again.
  expect(await deliver(before[0])).toMatchObject({ status: 200, body: { stored: 'known' } });
  for (const batch of after) expect(await deliver(batch)).toMatchObject({ status: 200, body: { stored: 'stored' } });
  expect(told).not.toHaveBeenCalled();
  // The service that was thought to be gone goes on.
  expect(await deliver(before[3])).toMatchObject({ status: 409 });
  await stop();
  await start();
  for (const batch of [...before.slice(0, 3), ...after])
    expect(await deliver(batch)).toMatchObject({ status: 200, body: { stored: 'known' } });
  expect(await deliver(before[3])).toMatchObject({ status: 409 });
  expect(await verified(stored())).toMatchObject({
    verified: true,
    events: 10,
    epochs: [{ ...epoch, after: 2, abandoned: { firstSequence: 3, lastSequence: 6 } }],
  });
});

test('batches are taken under each key of the file, and under no other', async () => {
  const other = checkpointSigner(generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }));
  const [first] = await chainOf(1);
  const from = first?.head ?? emptyChain(tenantId);
  const second = await sealBatch(other, from, [sampleEvent('client/1')], new Date());
  await start();
  await deliver(first);
  expect(await deliver(second)).toMatchObject({ status: 422 });
  await stop();
  await start(directory.path, `${PUBLIC_KEY_PEM}${other.publicKeyPem}`);
  expect(await deliver(second)).toMatchObject({ status: 200, body: { stored: 'stored' } });
  // A file without any key is none that every batch fits.
  expect(() => makeReceiver({ bearerToken: 't', publicKeyPem: '', directory: directory.path })).toThrow(RangeError);
});

test('a gap is stored, and somebody is told', async () => {
  const told = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  await start();
  const [first, , third] = await chainOf(3);
  await deliver(first);
  expect(told).not.toHaveBeenCalled();
  expect(await deliver(third)).toMatchObject({ status: 200, body: { stored: 'stored after a gap' } });
  expect(told).toHaveBeenCalledWith(`evidence is missing before event 5 of the tenant ${tenantId}\n`);
});

test.each([
  ['a line', (text: string) => text.slice(0, text.length / 3)],
  ['an event without its checkpoint', (text: string) => `${text.split('\n')[0]}\n`],
  ['a line in the middle of a character', () => Buffer.from('{"event":"ä').subarray(0, -1)],
])('what a crash left half written, %s, is cut off at the next start', async (_what, halfOf) => {
  await start();
  const [first, second] = await chainOf(2);
  await deliver(first);
  await stop();
  const whole = stored();
  appendFileSync(join(directory.path, `${tenantId}.jsonl`), halfOf(whole));
  await start();
  expect(stored()).toBe(whole);
  expect(await deliver(first)).toMatchObject({ body: { stored: 'known' } });
  expect(await deliver(second)).toMatchObject({ body: { stored: 'stored' } });
  expect(await verified(stored())).toMatchObject({ verified: true, events: 4 });
});

test('a file that lost something takes nothing more, and is not filled up', async () => {
  await start();
  const told = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  const [first, second] = await chainOf(2);
  await deliver(first);
  const whole = stored();
  truncateSync(join(directory.path, `${tenantId}.jsonl`), whole.length - 10);
  expect(await deliver(second)).toMatchObject({ status: 500 });
  expect(stored()).toBe(whole.slice(0, -10));
  expect(told).toHaveBeenCalledWith(expect.stringContaining('lost 10 of'));
});

test.skipIf(!isRoot)('a full disk is no acceptance and leaves no half batch (needs root)', async () => {
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  const disk = mountSmallDisk(1);
  const path = join(disk.path, 'evidence');
  mkdirSync(path);
  await start(path);
  // Each takes more than a page, so that the last one fits in part.
  const chain = await chainOf(6, randomBytes(60_000).toString('hex'));
  const statuses: number[] = [];
  for (const batch of chain) statuses.push((await deliver(batch)).status);
  const accepted = statuses.filter((status) => status === 200).length;
  expect(statuses.slice(accepted)).toEqual(Array(6 - accepted).fill(500));
  expect(accepted).toBeGreaterThan(0);
  expect(accepted).toBeLessThan(6);
  expect(await verified(stored(path))).toMatchObject({ verified: true, events: accepted * 2 });
  await stop();
  await disk.unmount();
});
