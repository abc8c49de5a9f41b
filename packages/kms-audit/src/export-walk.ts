import type { ChainedEvent, Checkpoint, EvidenceEpoch } from '@qnsp/kms-core/ports';
import { BEGINNING, type ChainTail, isSameEpoch, type Signers, statementProblem, tailAfter } from './chain-tail.ts';
import { checkpointHash } from './checkpoint.ts';
import { type CheckpointVerifier, checkpointVerifier } from './checkpoint-signature.ts';
import { eventHash } from './event-hash.ts';
import { parseExportLine } from './export-lines.ts';
import { BadPlaces } from './bad-places.ts';
import type { BatchRange, EpochReport, ExportReport } from './export-report.ts';
import { KeyPeriods } from './key-periods.ts';
import { Landmarks } from './landmarks.ts';
import type { Line } from './lines.ts';
import { type EventPlace, OpenBatch } from './open-batch.ts';
import type { VerifyExportOptions } from './verify-export-options.ts';

/** Goes through an export line by line. */
export class ExportWalk {
  readonly #options: VerifyExportOptions;
  readonly #verifiers: ReadonlyMap<string, CheckpointVerifier>;
  #line = 0;
  #tenantId: string | null;
  /** Of the last event; `null` after a line that cannot be read. */
  #sequence: number | null = 0;
  /** Of the last event; `null` where it is not known, as where retention removed it. */
  #hash: string | null = BEGINNING.hash;
  /**
   * What the current batch continues from: the previous checkpoint, or, at the start of a later epoch, an earlier one.
   */
  #tail: ChainTail = BEGINNING;
  /** How far the previous epoch went, if the current batch continues from further back. */
  #abandoned: number | null = null;
  readonly #landmarks = new Landmarks();
  readonly #signers: Signers[] = [];
  readonly #keys = new KeyPeriods();
  #epoch: EvidenceEpoch | null = null;
  readonly #epochs: EpochReport[] = [];
  #batch = new OpenBatch();
  #events = 0;
  #checkpoints = 0;
  #retired = 0;
  #retiredAfterKept: BatchRange[] = [];
  #gaps = 0;
  #latestSeen = false;
  #last: Checkpoint | null = null;
  readonly #bad = new BadPlaces();

  constructor(options: VerifyExportOptions) {
    this.#options = options;
    this.#tenantId = options.tenantId ?? null;
    this.#verifiers = new Map(
      options.publicKeysPem.map((pem) => {
        const verifier = checkpointVerifier(pem);
        return [verifier.keyId, verifier];
      }),
    );
    const { after, latestCheckpoint } = options;
    for (const given of [after, latestCheckpoint]) {
      const problem = given === undefined ? undefined : this.#signatureProblem(given);
      if (problem !== undefined) throw new RangeError(`The given checkpoint cannot be used: ${problem}.`);
    }
    if (after === undefined) return;
    this.#tenantId ??= after.tenantId;
    if (after.tenantId !== this.#tenantId)
      throw new RangeError('The checkpoint to continue after belongs to another tenant.');
    this.#epoch = after.epoch ?? null;
    this.#goTo(tailAfter(after, null));
    this.#landmark();
    this.#latestSeen = isSame(after, latestCheckpoint);
  }

  take(line: Line): void {
    this.#line += 1;
    const parsed = typeof line === 'string' ? parseExportLine(line) : undefined;
    if (parsed?.kind === 'event') this.#event(parsed.entry);
    else if (parsed?.kind === 'checkpoint') this.#checkpoint(parsed.checkpoint);
    else {
      this.#report(null, typeof line === 'string' ? 'the line does not belong to an export' : line.problem);
      this.#batch.isBroken = true;
      this.#sequence = null;
      this.#hash = null;
    }
  }

  end(): ExportReport {
    this.#checkEnd();
    const verified = this.#bad.count === 0;
    const { latestCheckpoint, expectedEvents, after } = this.#options;
    const isLast = latestCheckpoint !== undefined && isSame(latestCheckpoint, this.#last ?? after);
    return {
      verified,
      tenantId: this.#tenantId,
      events: this.#events,
      checkpoints: this.#checkpoints,
      retired: this.#retired,
      retiredAfterKept: this.#retiredAfterKept,
      gaps: this.#gaps,
      endProven: verified && (isLast || expectedEvents !== undefined),
      provenUpTo: verified && latestCheckpoint !== undefined ? latestCheckpoint.lastSequence : null,
      last: this.#last,
      epochs: this.#epochs,
      keys: this.#keys.periods,
      notes: this.#keys.notes,
      firstBad: this.#bad.places[0] ?? null,
      bad: this.#bad.places,
      badPlaces: this.#bad.count,
    };
  }

  #event(entry: ChainedEvent): void {
    const { sequence, previousHash, hash, event } = entry;
    this.#tenantId ??= event.tenantId;
    const place = { sequence, eventId: event.eventId };
    if (event.tenantId !== this.#tenantId) return this.#badEvent(place, 'it belongs to another tenant');
    if (this.#sequence !== null && sequence <= this.#sequence && this.#batch.isEmpty) this.#goBackTo(entry);
    const expected = this.#sequence === null ? sequence : this.#sequence + 1;
    if (sequence < expected) return this.#badEvent(place, `event ${expected} should be here: it was inserted or moved`);
    if (sequence > expected) {
      this.#gaps += sequence - expected;
      this.#badEvent(place, `${missing(expected, sequence - 1)} before it`);
    } else if (this.#hash !== null && previousHash !== this.#hash)
      this.#badEvent(place, 'it does not follow the event before it');
    else if (eventHash(entry) !== hash)
      this.#badEvent(place, 'it was changed: it does not have the hash that it names');
    this.#batch.add(entry);
    this.#sequence = sequence;
    this.#hash = hash;
  }

  /** A batch that begins further back belongs to a later epoch, or its checkpoint will not match. */
  #goBackTo({ sequence, previousHash }: ChainedEvent): void {
    const landmark =
      sequence === 1 && previousHash === BEGINNING.hash
        ? BEGINNING
        : this.#tailAt(this.#landmarks.endingAt(sequence - 1, previousHash));
    if (landmark === undefined) return;
    const reached = this.#tail.sequence;
    this.#goTo(landmark);
    this.#abandoned = reached;
  }

  #checkpoint(checkpoint: Checkpoint): void {
    this.#tenantId ??= checkpoint.tenantId;
    const batch = this.#batch;
    const unsigned = this.#signatureProblem(checkpoint);
    // Retention removed the first batch of an epoch that begins further back: only its checkpoint can say so.
    if (unsigned === undefined && batch.isEmpty && checkpoint.firstSequence <= this.#tail.sequence)
      this.#goBackBefore(checkpoint);
    const problem = unsigned ?? (batch.isBroken ? undefined : this.#problem(checkpoint, batch));
    if (problem !== undefined) {
      const place = batch.first ?? { sequence: checkpoint.firstSequence, eventId: checkpoint.firstEventId };
      this.#report(place, `the checkpoint of its batch does not match: ${problem}`);
    } else if (!batch.isBroken) {
      if (batch.first === null) this.#noteRetired(checkpoint);
      this.#events += batch.count;
      this.#checkpoints += 1;
    }
    if (unsigned === undefined) this.#goOnAfter(checkpoint, batch);
    else {
      const sequence = this.#sequence ?? checkpoint.lastSequence;
      this.#goTo({ ...this.#tail, sequence, hash: this.#hash, checkpointHash: undefined });
    }
  }

  #goBackBefore({ previousCheckpoint }: Checkpoint): void {
    const landmark = previousCheckpoint === null ? BEGINNING : this.#tailAt(this.#landmarks.of(previousCheckpoint));
    if (landmark === undefined) return;
    const reached = this.#tail.sequence;
    this.#goTo(landmark);
    this.#abandoned = reached;
  }

  /** What follows is checked as if this had been right, so that it is not reported again. */
  #goOnAfter(checkpoint: Checkpoint, batch: OpenBatch): void {
    this.#noteEpoch(checkpoint);
    this.#keys.note(checkpoint);
    this.#last = checkpoint;
    // Nobody knows the hash of an event that was removed.
    const hash = batch.first === null || batch.isBroken ? null : this.#hash;
    const tail = tailAfter(checkpoint, hash);
    const { periods, keyId } = tail.signers;
    // An older node beside newer ones says nothing of keys: what was said before still holds.
    const kept = checkpoint.version === undefined && periods === null ? this.#tail.signers.periods : periods;
    this.#goTo({ ...tail, signers: { periods: kept, keyId } });
    this.#landmark();
    this.#compareWithLatest(checkpoint, batch.first);
  }

  #goTo(tail: ChainTail): void {
    this.#tail = tail;
    this.#sequence = tail.sequence;
    this.#hash = tail.hash;
    this.#abandoned = null;
    this.#batch = new OpenBatch();
  }

  /** Remembers this place, from which a later epoch may continue. */
  #landmark(): void {
    const { sequence, hash, checkpointHash: itsHash, sealedAt, signers } = this.#tail;
    if (typeof itsHash !== 'string') return;
    const last = this.#signers.at(-1);
    if (last?.periods !== signers.periods || last?.keyId !== signers.keyId) this.#signers.push(signers);
    this.#landmarks.add({ sequence, hash, checkpointHash: itsHash, sealedAt, signers: this.#signers.length - 1 });
  }

  #tailAt(landmark: ReturnType<Landmarks['of']>): ChainTail | undefined {
    const signers = landmark && this.#signers[landmark.signers];
    return landmark && signers && { ...landmark, signers };
  }

  #noteEpoch({ version, epoch = null, firstSequence }: Checkpoint): void {
    if (version === undefined || epoch === null || isSameEpoch(epoch, this.#epoch)) return;
    this.#epoch = epoch;
    const reached = this.#abandoned ?? firstSequence - 1;
    const abandoned = reached < firstSequence ? null : { firstSequence, lastSequence: reached };
    this.#epochs.push({ ...epoch, after: firstSequence - 1, abandoned });
  }

  #compareWithLatest(checkpoint: Checkpoint, first: EventPlace | null): void {
    const { latestCheckpoint } = this.#options;
    if (latestCheckpoint?.lastSequence !== checkpoint.lastSequence) return;
    if (isSame(checkpoint, latestCheckpoint)) this.#latestSeen = true;
    else if (isSameEpoch(checkpoint.epoch ?? null, latestCheckpoint.epoch ?? null))
      this.#report(first, 'the given checkpoint says otherwise: history was rewritten');
  }

  #problem(checkpoint: Checkpoint, batch: OpenBatch): string | undefined {
    return (
      this.#placeProblem(checkpoint) ??
      this.#epochProblem(checkpoint) ??
      statementProblem(this.#tail, checkpoint) ??
      (batch.first === null ? this.#retiredProblem(checkpoint) : batch.problem(checkpoint))
    );
  }

  #noteRetired({ eventCount, firstSequence, lastSequence }: Checkpoint): void {
    this.#retired += eventCount;
    if (this.#events === 0) return;
    const before = this.#retiredAfterKept.at(-1);
    if (before?.lastSequence === firstSequence - 1)
      this.#retiredAfterKept.splice(-1, 1, { ...before, lastSequence, batches: before.batches + 1 });
    else this.#retiredAfterKept.push({ firstSequence, lastSequence, batches: 1 });
  }

  #signatureProblem(checkpoint: Checkpoint): string | undefined {
    const problems = [...this.#verifiers.values()].map((verifier) => verifier.problem(checkpoint));
    return problems.includes(undefined) ? undefined : (problems[0] ?? 'there is no public key to verify it with');
  }

  #placeProblem({ tenantId, firstSequence, lastSequence, eventCount, previousCheckpoint }: Checkpoint) {
    if (tenantId !== this.#tenantId) return 'it belongs to another tenant';
    const { checkpointHash: before, sequence } = this.#tail;
    if (before !== undefined && previousCheckpoint !== before) return 'it does not follow the checkpoint before it';
    const expected = sequence + 1;
    if (firstSequence !== expected || lastSequence !== firstSequence + eventCount - 1)
      return `it is for the events ${firstSequence} to ${lastSequence}, and event ${expected} is next`;
    return undefined;
  }

  /** A chain goes back only where its database was restored, and then it says so. */
  #epochProblem({ version, epoch = null, firstSequence }: Checkpoint): string | undefined {
    const present = this.#epoch;
    if (version === undefined || isSameEpoch(epoch, present))
      return this.#abandoned === null
        ? undefined
        : `it goes back to before event ${firstSequence} without saying that the database was restored: there are two chains`;
    if (epoch === null || (present !== null && epoch.since <= present.since)) return 'its epoch has ended before it';
    return undefined;
  }

  #retiredProblem({ firstSequence, lastSequence, timestamp }: Checkpoint): string | undefined {
    const { retiredBefore } = this.#options;
    const allowed = retiredBefore !== undefined && new Date(timestamp) < retiredBefore;
    if (allowed) return undefined;
    this.#gaps += lastSequence - firstSequence + 1;
    return missing(firstSequence, lastSequence);
  }

  #checkEnd(): void {
    const { latestCheckpoint, expectedEvents, after } = this.#options;
    const uncovered = this.#batch.first;
    if (uncovered !== null) this.#report(uncovered, 'no checkpoint covers it: the end was cut off or added');
    else if (latestCheckpoint !== undefined && !this.#latestSeen) this.#checkpointMissing(latestCheckpoint);
    else if (this.#bad.count > 0) return;
    else if (expectedEvents !== undefined && expectedEvents !== this.#events + this.#retired)
      this.#reportAtEnd(null, `there are ${this.#events + this.#retired} events, and ${expectedEvents} were expected`);
    else if (this.#line === 0 && after === undefined) this.#reportAtEnd(null, 'the export is empty');
  }

  #checkpointMissing(latest: Checkpoint): void {
    const { lastSequence, epoch = null } = latest;
    const { sequence } = this.#tail;
    const restored = this.#epochs.find(({ since }) => epoch === null || since > epoch.since);
    if (restored !== undefined && lastSequence > restored.after) {
      this.#gaps += lastSequence - restored.after;
      const lost = missing(restored.after + 1, lastSequence);
      this.#reportAtEnd(
        latest,
        `the given checkpoint is from before the restore of ${restored.since}: ${lost} in this export, which continues from event ${restored.after}`,
      );
      return;
    }
    this.#gaps += Math.max(0, lastSequence - sequence);
    this.#reportAtEnd(
      latest,
      lastSequence > sequence
        ? `the end was cut off: ${missing(sequence + 1, lastSequence)}`
        : 'the given checkpoint is not in the export',
    );
  }

  #reportAtEnd(witness: Checkpoint | null, reason: string): void {
    const next = this.#tail.sequence + 1;
    this.#line += 1;
    this.#bad.add({
      line: this.#line,
      sequence: next,
      eventId: witness?.firstSequence === next ? witness.firstEventId : null,
      reason,
    });
  }

  /** What is wrong with an event breaks its batch. */
  #badEvent(place: EventPlace, reason: string): void {
    this.#batch.isBroken = true;
    this.#report(place, reason);
  }

  #report(place: EventPlace | null, reason: string): void {
    this.#bad.add({ line: this.#line, sequence: place?.sequence ?? null, eventId: place?.eventId ?? null, reason });
  }
}

function isSame(checkpoint: Checkpoint, other: Checkpoint | undefined): boolean {
  return other !== undefined && checkpointHash(checkpoint) === checkpointHash(other);
}

function missing(first: number, last: number): string {
  return first === last ? `event ${first} is missing` : `the events ${first} to ${last} are missing`;
}
