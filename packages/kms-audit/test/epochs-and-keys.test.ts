import {
  type Checkpoint,
  checkpointSigner,
  type ChainHead,
  emptyChain,
  type EvidenceEpoch,
  exportLines,
  inclusionProblem,
  checkpointVerifier,
  proveInclusion,
  type SealedBatch,
  sealBatch,
  SupersededKeyError,
  verifyExport,
} from '@qnsp/kms-audit';
import { wordsOf } from '../src/export-report.ts';
import { describe, expect, test } from 'vitest';
import { sampleEvent, samplePem, TENANT } from './audit-samples.ts';

const [first, second] = [checkpointSigner(samplePem()), checkpointSigner(samplePem())];
const publicKeysPem = [first.publicKeyPem, second.publicKeyPem];
const T = (minute: number) => new Date(Date.UTC(2026, 2, 1, 10, minute));
const RESTORED: EvidenceEpoch = { since: T(30).toISOString(), dataAsOf: T(3).toISOString() };
const AGAIN: EvidenceEpoch = { since: T(50).toISOString(), dataAsOf: T(3).toISOString() };

interface Step {
  readonly signer?: typeof first;
  readonly at: number;
  readonly epoch?: EvidenceEpoch;
  readonly events?: number;
}

/** Seals a batch for each step, one after the other. */
async function sealAll(steps: readonly Step[], from: ChainHead = emptyChain(TENANT)): Promise<SealedBatch[]> {
  const batches: SealedBatch[] = [];
  let head = from;
  for (const { signer = first, at, epoch = null, events = 2 } of steps) {
    const made = Array.from({ length: events }, () => sampleEvent({ timestamp: T(at).toISOString() }));
    const batch = await sealBatch(signer, head, made, T(at), epoch);
    batches.push(batch);
    ({ head } = batch);
  }
  return batches;
}

function linesOfBatches(batches: readonly SealedBatch[]): string[] {
  return batches.flatMap(({ events, checkpoint }) => exportLines(events, checkpoint).trimEnd().split('\n'));
}

function verify(batches: readonly SealedBatch[], latestCheckpoint?: Checkpoint) {
  return verifyExport(linesOfBatches(batches), {
    publicKeysPem,
    ...(latestCheckpoint === undefined ? {} : { latestCheckpoint }),
  });
}

function headAfter(batch: SealedBatch | undefined): ChainHead {
  return batch?.head ?? emptyChain(TENANT);
}

/** A batch with other statements in its checkpoint, signed as if it were right. */
async function restated(
  batch: SealedBatch | undefined,
  change: Partial<Checkpoint>,
  signer = first,
): Promise<SealedBatch> {
  if (batch === undefined) throw new Error('the chain has this batch');
  const { signature: _signature, ...statement } = { ...batch.checkpoint, ...change };
  return { ...batch, checkpoint: await signer.sign(statement) };
}

const idsOf = (batches: readonly SealedBatch[]) =>
  batches.flatMap(({ events }) => events.map(({ event }) => event.eventId));

describe('after a restore', () => {
  test('the chain goes on in an epoch of its own, behind the batch that the copy ends with', async () => {
    const before = await sealAll([{ at: 1 }, { at: 2 }, { at: 3 }, { at: 4 }, { at: 5 }]);
    const after = await sealAll(
      [
        { at: 31, epoch: RESTORED },
        { at: 32, epoch: RESTORED },
      ],
      headAfter(before[2]),
    );
    const latest = after[1]?.checkpoint;

    // What the audit service has: everything.
    const all = await verify([...before, ...after], latest);
    expect(all).toMatchObject({
      verified: true,
      events: 14,
      gaps: 0,
      endProven: true,
      epochs: [{ ...RESTORED, after: 6, abandoned: { firstSequence: 7, lastSequence: 10 } }],
    });
    expect(wordsOf(all).join('\n')).toContain('events 7 to 10 of the previous epoch exist only in this export');

    // What the restored service has.
    const own = await verify([...before.slice(0, 3), ...after], latest);
    expect(own).toMatchObject({ verified: true, events: 10, endProven: true, epochs: [{ after: 6, abandoned: null }] });

    // Held against what the audit service had before the restore, it lacks what was lost.
    expect(await verify([...before.slice(0, 3), ...after], before[4]?.checkpoint)).toMatchObject({
      verified: false,
      gaps: 4,
      firstBad: { reason: expect.stringContaining('the events 7 to 10 are missing in this export') },
    });
    expect(await verify([...before, ...after], before[4]?.checkpoint)).toMatchObject({
      verified: true,
      endProven: false,
    });
  });

  test('the same copy may be restored again, and one from before the first batch', async () => {
    const before = await sealAll([{ at: 1 }, { at: 2 }]);
    const once = await sealAll([{ at: 31, epoch: RESTORED }], headAfter(before[0]));
    const again = await sealAll([{ at: 51, epoch: AGAIN }], headAfter(before[0]));
    const anew = await sealAll([{ at: 52, epoch: { ...AGAIN, since: T(52).toISOString() } }]);
    expect(await verify([...before, ...once, ...again, ...anew])).toMatchObject({
      verified: true,
      events: 10,
      epochs: [{ after: 2 }, { after: 2, abandoned: { firstSequence: 3, lastSequence: 4 } }, { after: 0 }],
    });
    // An epoch that has ended does not come back.
    expect(await verify([...before, ...again, ...once])).toMatchObject({
      verified: false,
      firstBad: { reason: expect.stringContaining('its epoch has ended before it') },
    });
  });

  test('nothing was lost when the copy has everything', async () => {
    const before = await sealAll([{ at: 1 }, { at: 2 }]);
    const after = await sealAll([{ at: 31, epoch: RESTORED }], headAfter(before[1]));
    expect(await verify([...before, ...after])).toMatchObject({
      verified: true,
      epochs: [{ after: 4, abandoned: null }],
    });
  });

  test('a chain that goes back without saying so is two chains', async () => {
    const before = await sealAll([{ at: 1 }, { at: 2 }, { at: 3 }]);
    const fork = await sealAll([{ at: 31 }], headAfter(before[0]));
    expect(await verify([...before, ...fork])).toMatchObject({
      verified: false,
      firstBad: {
        reason: expect.stringContaining('without saying that the database was restored: there are two chains'),
      },
    });
    // Nor does an epoch begin behind something that nobody has.
    const elsewhere = await sealAll([{ at: 1 }]);
    const stray = await sealAll([{ at: 31, epoch: RESTORED }], headAfter(elsewhere[0]));
    expect(await verify([...before, ...stray])).toMatchObject({ verified: false });
  });

  test('retention may have removed the batches around the seam', async () => {
    const before = await sealAll([{ at: 1 }, { at: 2 }, { at: 3 }]);
    const after = await sealAll(
      [
        { at: 31, epoch: RESTORED },
        { at: 32, epoch: RESTORED },
      ],
      headAfter(before[0]),
    );
    const removed = [...before, ...after.slice(0, 1)].map((batch) => ({ ...batch, events: [] }));
    const lines = linesOfBatches([...removed, ...after.slice(1)]);
    const report = await verifyExport(lines, { publicKeysPem, retiredBefore: T(59) });
    expect(report).toMatchObject({ verified: true, retired: 8, events: 2, epochs: [{ after: 2 }] });
  });

  test('what waited in the copy gets an id of its own, and is found under both', async () => {
    const before = await sealAll([{ at: 1 }]);
    const waited = sampleEvent({ timestamp: T(2).toISOString() });
    const sealedBefore = await sealBatch(first, headAfter(before[0]), [waited], T(3));
    const fresh = sampleEvent({ timestamp: T(31).toISOString() });
    const sealedAfter = await sealBatch(first, headAfter(before[0]), [waited, fresh], T(31), RESTORED);
    const ids = idsOf([...before, sealedBefore, sealedAfter]);
    expect(new Set(ids).size).toBe(ids.length);
    expect(sealedAfter.events[0]?.event).toEqual({ ...waited, eventId: expect.any(String), repeats: waited.eventId });
    expect(sealedAfter.events[1]?.event).toEqual(fresh);
    expect(await verify([...before, sealedBefore, sealedAfter])).toMatchObject({ verified: true, events: 5 });
    const verifier = checkpointVerifier(first.publicKeyPem);
    for (const id of [waited.eventId, String(sealedAfter.events[0]?.event.eventId)]) {
      const proof = proveInclusion(sealedAfter.events, sealedAfter.checkpoint, id);
      expect(proof && inclusionProblem(proof, verifier)).toBeUndefined();
      expect(proof?.leafIndex).toBe(0);
    }
  });

  test('a node that does not know of it seals nothing', async () => {
    const [after] = await sealAll([{ at: 31, epoch: AGAIN }]);
    await expect(sealAll([{ at: 32 }], headAfter(after))).rejects.toThrow(RangeError);
    await expect(sealAll([{ at: 32, epoch: RESTORED }], headAfter(after))).rejects.toThrow(RangeError);
  });
});

describe('signing keys', () => {
  test('take over one from another, and the export says from where on', async () => {
    const batches = await sealAll([{ at: 1 }, { at: 2, signer: second }, { at: 3, signer: second }]);
    const report = await verify(batches);
    const periods = [
      { keyId: first.keyId, firstSequence: 1 },
      { keyId: second.keyId, firstSequence: 3 },
    ];
    expect(report).toMatchObject({ verified: true, keys: periods });
    expect(batches[2]?.checkpoint.signingKeys).toEqual(periods);
    expect(wordsOf(report).join('\n')).toContain(`${second.keyId} from event 3 on`);
  });

  test('do not come back: a node with the one before leaves the chain alone', async () => {
    const batches = await sealAll([{ at: 1 }, { at: 2, signer: second }]);
    await expect(sealAll([{ at: 3 }], headAfter(batches[1]))).rejects.toThrow(SupersededKeyError);
  });

  test.each<[string, (batches: readonly SealedBatch[]) => Promise<SealedBatch>, RegExp]>([
    [
      'as if nothing had been',
      async ([one, two]) =>
        (await sealAll([{ at: 3 }], { ...headAfter(two), last: one?.checkpoint ?? null }))[0] as SealedBatch,
      /from which another key has taken over/,
    ],
    [
      'under the periods of the other',
      async ([, two]) => restated((await sealAll([{ at: 3, signer: second }], headAfter(two)))[0], {}, first),
      /a different key as its signer/,
    ],
    [
      'as its own successor',
      async ([, two]) =>
        restated((await sealAll([{ at: 3, signer: second }], headAfter(two)))[0], {
          signingKeys: [
            { keyId: first.keyId, firstSequence: 1 },
            { keyId: second.keyId, firstSequence: 3 },
            { keyId: first.keyId, firstSequence: 5 },
          ],
        }),
      /from which another key has taken over/,
    ],
    [
      'in the first format',
      async ([, two]) => {
        const [made] = await sealAll([{ at: 3, signer: second }], headAfter(two));
        if (made === undefined) throw new Error('a batch was sealed');
        const { version: _v, epoch: _e, signingKeys: _k, ...statement } = made.checkpoint;
        return { ...made, checkpoint: await first.sign(statement) };
      },
      /nothing says that this key takes over/,
    ],
  ])('that signs again %s is found', async (_how, forge, reason) => {
    const batches = await sealAll([{ at: 1 }, { at: 2, signer: second }]);
    const forged = await forge(batches);
    expect(await verify([...batches, forged])).toMatchObject({
      verified: false,
      firstBad: { line: 9, reason: expect.stringMatching(reason) },
    });
  });
});

describe('times of checkpoints', () => {
  test('go forward, whatever the clocks of nodes say', async () => {
    const batches = await sealAll([{ at: 9 }, { at: 5 }, { at: 7 }, { at: 12 }, { at: 11, epoch: RESTORED }]);
    const times = batches.map(({ checkpoint }) => checkpoint.timestamp);
    expect(times).toEqual([9, 9, 9, 12, 30].map((minute) => T(minute).toISOString()));
    expect(await verify(batches)).toMatchObject({ verified: true });
  });

  test('that run backwards are found, also before their epoch', async () => {
    const batches = await sealAll([{ at: 5 }, { at: 6 }]);
    const earlier = await restated(batches[1], { timestamp: T(4).toISOString() });
    expect(await verify([...batches.slice(0, 1), earlier])).toMatchObject({
      verified: false,
      firstBad: { reason: expect.stringContaining('older than the one that it follows') },
    });
    const [begun] = await sealAll([{ at: 31, epoch: RESTORED }], headAfter(batches[0]));
    const tooEarly = await restated(begun, { timestamp: T(20).toISOString() });
    expect(await verify([...batches.slice(0, 1), tooEarly])).toMatchObject({
      verified: false,
      firstBad: { reason: expect.stringContaining('older than its epoch') },
    });
  });
});
