import { checkpointSigner, type EvidenceReport, startEvidenceWorker } from '@qnsp/kms-audit';
import type { TenantId } from '@qnsp/kms-core';
import type { EvidenceStore } from '@qnsp/kms-core/ports';
import { afterEach, expect, test } from 'vitest';
import { sampleEvent, samplePem, TENANT } from './audit-samples.ts';
import { MemoryOutbox } from './memory-outbox.ts';

const QUIET: TenantId = '0198d2a4-7b1c-7000-8000-000000000002';
const signer = checkpointSigner(samplePem());
let worker: { stop(): Promise<void> } | undefined;
afterEach(async () => {
  await worker?.stop();
});

/** Starts a worker on an outbox; nothing is ever due for delivery. */
function start(outbox: MemoryOutbox, isBusy = () => false, maxBacklog = 1000) {
  const reports: EvidenceReport[] = [];
  const backlogs: number[] = [];
  const others: Pick<EvidenceStore, 'claimDelivery' | 'retire'> = {
    claimDelivery: async () => undefined,
    retire: async () => 0,
  };
  const store = Object.assign(outbox, others) as unknown as EvidenceStore;
  worker = startEvidenceWorker({
    store,
    signer,
    deliver: async () => ({ kind: 'accepted' }),
    trail: { maxBacklog, setBacklog: (events) => void backlogs.push(events) },
    report: (report) => void reports.push(report),
    intervalMs: 1,
    isBusy,
  });
  return { reports, backlogs };
}

/** A tenant that always has a full batch more, for as long as the test goes on. */
function busyOutbox(): MemoryOutbox {
  const outbox = new MemoryOutbox();
  const more = () => outbox.add(Array.from({ length: 100 }, () => sampleEvent()));
  more();
  outbox.onExtend = (tenantId) => {
    if (tenantId === TENANT) more();
  };
  return outbox;
}

test('a tenant that always has more holds up neither other tenants nor the count nor the end', async () => {
  const outbox = busyOutbox();
  const { backlogs } = start(outbox);
  await expect.poll(() => outbox.batches.length, { timeout: 20_000 }).toBeGreaterThan(2);
  outbox.add([sampleEvent({ tenantId: QUIET })]);
  await expect.poll(() => outbox.waiting(QUIET).length, { timeout: 20_000 }).toBe(0);
  const counted = backlogs.length;
  await expect.poll(() => backlogs.length, { timeout: 20_000 }).toBeGreaterThan(counted + 1);
  await worker?.stop();
  const sealed = outbox.batches.length;
  await new Promise((resolve) => {
    setTimeout(resolve, 20);
  });
  expect(outbox.batches).toHaveLength(sealed);
});

test('a process that is never less than busy goes on sealing for every tenant', async () => {
  const outbox = busyOutbox();
  // So much may wait that there is no haste.
  start(outbox, () => true, 1_000_000);
  outbox.add([sampleEvent({ tenantId: QUIET })]);
  await expect.poll(() => outbox.waiting(QUIET).length, { timeout: 60_000 }).toBe(0);
  const sealed = outbox.batches.length;
  await expect.poll(() => outbox.batches.length, { timeout: 60_000 }).toBeGreaterThan(sealed + 2);
}, 150_000);

test('a chain that cannot go on is reported and does not hold up the others', async () => {
  const outbox = new MemoryOutbox();
  outbox.add([sampleEvent(), sampleEvent({ tenantId: QUIET })]);
  outbox.onExtend = (tenantId) => {
    if (tenantId === TENANT) throw new Error('no chain');
  };
  const { reports, backlogs } = start(outbox);
  await expect.poll(() => outbox.waiting(QUIET).length, { timeout: 20_000 }).toBe(0);
  await expect.poll(() => backlogs.at(-1), { timeout: 20_000 }).toBe(1);
  expect(reports).toContainEqual(expect.objectContaining({ kind: 'failed', work: 'seal', tenantId: TENANT }));
});

test('a turn of the work that fails is reported and made again', async () => {
  const outbox = new MemoryOutbox();
  outbox.add([sampleEvent()]);
  let turns = 0;
  const tenants = outbox.unsealedTenants.bind(outbox);
  outbox.unsealedTenants = async () => {
    turns += 1;
    if (turns === 1) throw new Error('the database is away');
    return tenants();
  };
  const { reports } = start(outbox);
  await expect.poll(() => outbox.batches.length, { timeout: 20_000 }).toBe(1);
  expect(reports).toContainEqual(expect.objectContaining({ kind: 'failed', work: 'seal' }));
});
