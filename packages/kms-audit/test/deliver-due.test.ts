import { type Deliver, type DeliveryAnswer, deliverDue, type EvidenceReport } from '@qnsp/kms-audit';
import type { Delivery, DeliveryOutcome, EvidenceStore } from '@qnsp/kms-core';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { sampleExport } from './audit-samples.ts';

let deliveries: Delivery[];
/** How each delivery ended. */
let outcomes: DeliveryOutcome[];
let reports: EvidenceReport[];
let sample: Awaited<ReturnType<typeof sampleExport>>;
const never = new AbortController().signal;

beforeAll(async () => {
  sample = await sampleExport([1, 2, 3]);
});
beforeEach(() => {
  deliveries = sample.batches.map((batch) => ({ ...batch, attempts: 3 }));
  outcomes = [];
  reports = [];
});

/** A store that has these deliveries, one after another. */
function storeOf(due: readonly Delivery[]): Pick<EvidenceStore, 'claimDelivery' | 'endDelivery'> {
  const queue = [...due];
  return {
    claimDelivery: async () => queue.shift(),
    endDelivery: async (_owner, _delivery, outcome) => void outcomes.push(outcome),
  };
}

/** Delivers what is due where each attempt is answered in turn, the last answer for good. */
async function deliverWith(answers: readonly [DeliveryAnswer, ...DeliveryAnswer[]], stopped = never): Promise<number> {
  const queue = [...answers];
  const deliver: Deliver = async () => (queue.length > 1 ? queue.shift() : queue[0]) ?? answers[0];
  return deliverDue(storeOf(deliveries), deliver, 'me', (report) => void reports.push(report), stopped);
}

test('everything that is due is delivered, batch after batch', async () => {
  expect(await deliverWith([{ kind: 'accepted' }])).toBe(0);
  expect(outcomes.map(({ kind }) => kind)).toEqual(Array(3).fill('delivered'));
  expect(reports.map(({ kind }) => kind)).toEqual(Array(3).fill('delivered'));
});

test('what failed waits for its back-off', async () => {
  const wait = await deliverWith([
    { kind: 'failed', reason: 'ECONNREFUSED', retryAfterSeconds: null },
    { kind: 'accepted' },
  ]);
  // 0.5 s doubled three times, and half of it left to chance.
  expect(outcomes[0]).toMatchObject({ kind: 'postponed' });
  const [first] = outcomes;
  const seconds = first?.kind === 'postponed' ? first.seconds : Number.NaN;
  expect(seconds).toBeGreaterThanOrEqual(2);
  expect(seconds).toBeLessThanOrEqual(4);
  expect(reports[0]).toMatchObject({ kind: 'postponed', attempts: 4, seconds, reason: 'ECONNREFUSED' });
  // One batch that fails is no reason to leave the others.
  expect(outcomes.slice(1).map(({ kind }) => kind)).toEqual(['delivered', 'delivered']);
  expect(wait).toBe(0);
});

test.each([
  ['longer', 30, 30, 30],
  ['shorter', 1, 2, 4],
])('a Retry-After that is %s than the back-off', async (_what, retryAfterSeconds, least, most) => {
  await deliverWith([{ kind: 'failed', reason: 'the audit service answered 503', retryAfterSeconds }]);
  const [outcome] = outcomes;
  const seconds = outcome?.kind === 'postponed' ? outcome.seconds : Number.NaN;
  expect(seconds).toBeGreaterThanOrEqual(least);
  expect(seconds).toBeLessThanOrEqual(most);
});

test('when the audit service asks for time it gets none of the other batches either', async () => {
  const wait = await deliverWith([
    { kind: 'accepted' },
    { kind: 'failed', reason: 'the audit service answered 429', retryAfterSeconds: 30 },
    { kind: 'accepted' },
  ]);
  expect(outcomes.map(({ kind }) => kind)).toEqual(['delivered', 'postponed']);
  expect(wait).toBe(30);
});

test('what is refused for ever is set aside with its reason, and the next one follows', async () => {
  const refused = { kind: 'refused', reason: 'the audit service answered 422' } as const;
  await deliverWith([refused, { kind: 'accepted' }]);
  expect(outcomes).toEqual([refused, { kind: 'delivered' }, { kind: 'delivered' }]);
  const { checkpointId: batchId, tenantId } = sample.batches[0]?.checkpoint ?? sample.latest;
  expect(reports[0]).toEqual({ ...refused, tenantId, batchId });
});

test('nothing is claimed once it is stopped', async () => {
  await deliverWith([{ kind: 'accepted' }], AbortSignal.abort());
  expect(outcomes).toEqual([]);
});
