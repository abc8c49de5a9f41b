import { type Deliver, type DeliveryAnswer, type EvidenceReport } from '@qnsp/kms-audit';
import { deliverDue } from '../src/deliver-due.ts';
import { StuckBatches } from '../src/stuck-batches.ts';
import { type Delivery, type DeliveryOutcome, type EvidenceStore, newId } from '@qnsp/kms-core/ports';
import { beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { sampleExport } from './audit-samples.ts';

let deliveries: Delivery[];
/** How each delivery ended. */
let outcomes: DeliveryOutcome[];
/** Who renewed a lease. */
let renewals: string[];
let reports: EvidenceReport[];
let sample: Awaited<ReturnType<typeof sampleExport>>;
const never = new AbortController().signal;

beforeAll(async () => {
  sample = await sampleExport([1, 2, 3]);
});
beforeEach(() => {
  deliveries = sample.batches.map((batch) => ({ ...batch, attempts: 3 }));
  outcomes = [];
  renewals = [];
  reports = [];
});

/** A store that has these deliveries, one after another. */
function storeOf(due: readonly Delivery[]): Pick<EvidenceStore, 'claimDelivery' | 'renewDelivery' | 'endDelivery'> {
  const queue = [...due];
  return {
    claimDelivery: async () => queue.shift(),
    renewDelivery: async (owner) => void renewals.push(owner),
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

test('a delivery that takes its time keeps its lease, and no longer than that', async () => {
  vi.useFakeTimers();
  try {
    const [first] = deliveries;
    if (first === undefined) throw new Error('there is a sample');
    const slow: Deliver = async () => {
      await new Promise((resolve) => {
        setTimeout(resolve, 3500);
      });
      return { kind: 'accepted' };
    };
    const done = deliverDue(storeOf([first]), slow, 'me', () => undefined, never);
    await vi.advanceTimersByTimeAsync(20_000);
    await done;
    expect(renewals).toEqual(['me', 'me', 'me']);
  } finally {
    vi.useRealTimers();
  }
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

/** The sample's batches as if each were of its own tenant. */
const ofSeveralTenants = () =>
  deliveries.map((delivery) => ({ ...delivery, checkpoint: { ...delivery.checkpoint, tenantId: newId() } }));
const asksForTime = (retryAfterSeconds: number): DeliveryAnswer => ({
  kind: 'failed',
  reason: 'the audit service answered 429',
  retryAfterSeconds,
});

test('a tenant for which the audit service asks for time does not hold up the others', async () => {
  deliveries = ofSeveralTenants();
  expect(await deliverWith([{ kind: 'accepted' }, asksForTime(30), { kind: 'accepted' }])).toBe(0);
  expect(outcomes.map(({ kind }) => kind)).toEqual(['delivered', 'postponed', 'delivered']);
  outcomes = [];
  expect(await deliverWith([asksForTime(30), { kind: 'accepted' }, asksForTime(30)])).toBe(0);
  expect(outcomes.map(({ kind }) => kind)).toEqual(['postponed', 'delivered', 'postponed']);
});

test.each([
  [30, 40, 30],
  [40, 30, 30],
  [3600, 3600, 60],
])(
  'an audit service that asks for %s s and then for %s s for the next tenant gets nothing for %s s',
  async (one, other, quiet) => {
    deliveries = ofSeveralTenants();
    expect(await deliverWith([asksForTime(one), asksForTime(other), { kind: 'accepted' }])).toBe(quiet);
    expect(outcomes).toMatchObject([{ kind: 'postponed' }, { kind: 'postponed', seconds: expect.closeTo(other, 0) }]);
  },
);

test('a batch that is refused again and again without being named is told of once, and again after an hour', async () => {
  let now = 0;
  const stuck = new StuckBatches(() => now);
  const [first, second] = deliveries;
  if (first === undefined || second === undefined) throw new Error('the sample has two batches');
  const failed: DeliveryAnswer = { kind: 'failed', reason: 'answered 413', retryAfterSeconds: null };
  const refused: DeliveryAnswer = { ...failed, unnamedRefusal: 413 };
  const told = async (delivery: Delivery, attempts: number, answer: DeliveryAnswer = refused) => {
    reports = [];
    const deliver: Deliver = async () => answer;
    await deliverDue(
      storeOf([{ ...delivery, attempts }]),
      deliver,
      'me',
      (each) => void reports.push(each),
      never,
      async () => undefined,
      stuck,
    );
    return reports.filter(({ kind }) => kind === 'stuck');
  };
  const { tenantId, checkpointId: batchId } = first.checkpoint;
  // What passes by itself is worth no alarm.
  expect(await told(first, 3)).toEqual([]);
  expect(await told(first, 4)).toEqual([{ kind: 'stuck', tenantId, batchId, attempts: 5, status: 413 }]);
  expect(await told(first, 5)).toEqual([]);
  now += 59 * 60 * 1000;
  expect(await told(first, 80)).toEqual([]);
  now += 60 * 1000;
  expect(await told(first, 81)).toHaveLength(1);
  expect(await told(first, 82, { kind: 'accepted' })).toEqual([]);
  expect(await told(second, 4, failed)).toEqual([]);
  expect(await told(second, 5)).toHaveLength(1);
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
