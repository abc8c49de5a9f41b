import { beforeEach, expect, test } from 'vitest';
import {
  type AuditEvent,
  createKey,
  exportAudit,
  getAuditBatch,
  listAuditCheckpoints,
  listAuditEvents,
  newId,
  type Operation,
  suspendKey,
  withEvidence,
  OperationEvidence,
  type ListAuditEventsInput,
} from '../src/exports/internal.ts';
import { callerOf, type Fixture, makeFixture } from './kms-fixture.ts';
import { SealedEvidence } from './sealed-evidence.ts';

let f: Fixture;
let sealed: SealedEvidence;
let auditor: Operation;
let keyId: string;
let events: readonly AuditEvent[];

const trail = { requireRoom: () => undefined, record: async () => undefined };

/** A change that leaves its evidence, as an application makes one that keeps evidence. */
async function recorded<T>(action: string, work: (op: Operation) => Promise<T>): Promise<T> {
  const evidence = new OperationEvidence(trail, f.kms.clock, {
    tenantId: f.tenantId,
    actor: { type: 'service', id: f.admin.subject },
    context: { requestId: null, userAgent: null, source: 'test', ip: null },
    action,
    eventType: null,
  });
  return withEvidence(evidence, () => work({ kms: f.kms, caller: f.admin, evidence }));
}

beforeEach(async () => {
  f = await makeFixture();
  sealed = new SealedEvidence();
  auditor = { kms: { ...f.kms, evidence: { trail, store: sealed } }, caller: callerOf(f.tenantId, 'auditor') };
  ({ keyId } = await recorded('createKey', (op) => createKey(op, {})));
  await recorded('suspendKey', (op) => suspendKey(op, { keyId }));
  await recorded('createKey', (op) => createKey(op, {}));
  events = f.store.evidence();
  sealed.add(f.tenantId, events.slice(0, 2));
  sealed.add(f.tenantId, events.slice(2));
  sealed.add(newId(), events);
});

const READS: readonly (readonly [string, (op: Operation) => Promise<unknown>])[] = [
  ['the list of events', (op) => listAuditEvents(op, {})],
  ['the batch of an event', (op) => getAuditBatch(op, { eventId: events[0]?.eventId ?? '' })],
  ['the list of checkpoints', (op) => listAuditCheckpoints(op, {})],
  ['the export', (op) => exportAudit(op, {})],
];

test.for(READS)('%s is read by who may read evidence, and by nobody else', async ([, read]) => {
  await expect(read(auditor)).resolves.toBeDefined();
  for (const role of ['key_admin', 'key_user'] as const)
    await expect(read({ ...auditor, caller: callerOf(f.tenantId, role) })).rejects.toMatchObject({
      code: 'FORBIDDEN',
      details: { permission: 'kms:audit:read' },
    });
});

test.for(READS)('%s is not there where no evidence is kept, which only who may read it learns', async ([, read]) => {
  await expect(read({ ...auditor, kms: f.kms })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  const outsider = callerOf(f.tenantId, 'key_user');
  await expect(read({ kms: f.kms, caller: outsider })).rejects.toMatchObject({ code: 'FORBIDDEN' });
});

test('events come in pages, newest first, by every filter, and a cursor is of its own filters', async () => {
  const ids = async (input: ListAuditEventsInput) =>
    (await listAuditEvents(auditor, input)).items.map(({ event }) => event.eventId);
  const [first, second, third] = events.map(({ eventId }) => eventId);
  expect(await ids({})).toEqual([third, second, first]);
  expect(await ids({ keyId })).toEqual([second, first]);
  expect(await ids({ eventType: 'kms.key.created' })).toEqual([third, first]);
  expect(await ids({ actor: 'nobody' })).toEqual([]);
  expect(await ids({ result: 'failure' })).toEqual([]);
  expect(await ids({ from: new Date(f.kms.clock() + 60_000) })).toEqual([]);
  const page = await listAuditEvents(auditor, { limit: 2 });
  const cursor = page.nextCursor ?? '';
  expect(await ids({ limit: 2, cursor })).toEqual([first]);
  await expect(listAuditEvents(auditor, { cursor, keyId })).rejects.toMatchObject({ code: 'BAD_REQUEST' });
});

test('checkpoints come in pages, and batches after a place in the chain', async () => {
  const page = await listAuditCheckpoints(auditor, { limit: 1 });
  expect(page.items.map(({ firstSequence }) => firstSequence)).toEqual([3]);
  const rest = await listAuditCheckpoints(auditor, { limit: 1, cursor: page.nextCursor ?? '' });
  expect([rest.items.map(({ firstSequence }) => firstSequence), rest.nextCursor]).toEqual([[1], null]);
  const batches = await exportAudit(auditor, { after: 2, batches: 1 });
  expect(batches.map(({ checkpoint }) => checkpoint.firstSequence)).toEqual([3]);
});

test('a batch is found by any event in it, and only by the tenant whose it is', async () => {
  const [, second] = events;
  const { checkpoint } = await getAuditBatch(auditor, { eventId: second?.eventId ?? '' });
  expect(checkpoint).toMatchObject({ tenantId: f.tenantId, firstSequence: 1, lastSequence: 2 });
  const stranger = { ...auditor, caller: callerOf(newId(), 'auditor') };
  await expect(getAuditBatch(stranger, { eventId: second?.eventId ?? '' })).rejects.toMatchObject({
    code: 'NOT_FOUND',
  });
});
