import type { ChainedEvent, Checkpoint } from '@qnsp/kms-core';
import { checkpointHash } from './checkpoint.ts';
import { type CheckpointVerifier, checkpointVerifier } from './checkpoint-signature.ts';
import { eventHash, GENESIS_HASH } from './event-hash.ts';
import { parseExportLine } from './export-lines.ts';
import type { BadLine, BatchRange, ExportReport } from './export-report.ts';
import type { Line } from './lines.ts';
import { type EventPlace, OpenBatch } from './open-batch.ts';

export interface VerifyExportOptions {
  /** The public keys that checkpoints may be signed with, in PEM: more than one after a change of the signing key. */
  readonly publicKeysPem: readonly string[];
  /** Whose evidence it must be; that of its first line without it. */
  readonly tenantId?: string;
  /**
   * A checkpoint that came another way than the export, as from the audit service: without one nothing shows that the
   * end of the export was not cut off. It shows so up to the last event that it covers.
   */
  readonly latestCheckpoint?: Checkpoint;
  /** How many events there must be; another way to show that the end was not cut off. */
  readonly expectedEvents?: number;
  /** The last checkpoint of an earlier export that was verified; this one goes on after it. */
  readonly after?: Checkpoint;
  /**
   * Batches that were sealed before this time may lack their events, all of them: retention removed them. Their signed
   * checkpoints are still there, each linked to the one before. Older batches may be whole: what the audit service refused
   * is kept. `retiredAfterKept` of the report names what is missing behind such a batch.
   */
  readonly retiredBefore?: Date;
}

/** So many places are kept in a report; the others are counted. */
const PLACES_KEPT = 100;

/**
 * Verifies an export without the service: every hash, every place in the chain, every Merkle root and every signature.
 * Editing, deleting, inserting or reordering a line is found at the first event that it touches; cutting off the end is
 * found against `latestCheckpoint` or `expectedEvents`. What comes after something wrong is looked at as well. Takes no more
 * memory for a longer export.
 *
 * @param lines without their line feeds; nothing else ends a line
 * @throws RangeError when a public key or a checkpoint of the options is of no use.
 * @example
 * await verifyExport(linesOf(createReadStream(path)), { publicKeysPem: [pem], latestCheckpoint });
 */
export async function verifyExport(
  lines: AsyncIterable<Line> | Iterable<Line>,
  options: VerifyExportOptions,
): Promise<ExportReport> {
  const walk = new ExportWalk(options);
  for await (const line of lines) walk.take(line);
  return walk.end();
}

class ExportWalk {
  readonly #options: VerifyExportOptions;
  readonly #verifiers: ReadonlyMap<string, CheckpointVerifier>;
  #line = 0;
  #tenantId: string | null;
  /** Of the last event; `null` behind a line that can not be read. */
  #sequence: number | null = 0;
  /** Of the last event; `null` where it is not known, as where retention removed it. */
  #hash: string | null = GENESIS_HASH;
  /** The last event that a checkpoint covers. */
  #sealed = 0;
  /** Of the last checkpoint; `undefined` where it is not known. */
  #checkpointHash: string | null | undefined = null;
  #batch = new OpenBatch();
  #events = 0;
  #checkpoints = 0;
  #retired = 0;
  #retiredAfterKept: BatchRange[] = [];
  #gaps = 0;
  #latestSeen = false;
  #last: Checkpoint | null = null;
  #bad: BadLine[] = [];
  #badPlaces = 0;

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
      if (problem !== undefined) throw new RangeError(`A checkpoint that was given apart is of no use: ${problem}.`);
    }
    if (after === undefined) return;
    this.#tenantId ??= after.tenantId;
    if (after.tenantId !== this.#tenantId) throw new RangeError('The checkpoint to go on after is of another tenant.');
    this.#sequence = after.lastSequence;
    this.#sealed = after.lastSequence;
    this.#hash = null;
    this.#checkpointHash = checkpointHash(after);
    this.#latestSeen = isSame(after, latestCheckpoint);
  }

  take(line: Line): void {
    this.#line += 1;
    const parsed = typeof line === 'string' ? parseExportLine(line) : undefined;
    if (parsed?.kind === 'event') this.#event(parsed.entry);
    else if (parsed?.kind === 'checkpoint') this.#checkpoint(parsed.checkpoint);
    else {
      this.#report(null, typeof line === 'string' ? 'the line is not one of an export' : line.problem);
      this.#batch.isBroken = true;
      this.#sequence = null;
      this.#hash = null;
    }
  }

  end(): ExportReport {
    this.#checkEnd();
    const verified = this.#badPlaces === 0;
    const { latestCheckpoint, expectedEvents } = this.#options;
    const provenUpTo = verified && latestCheckpoint !== undefined ? latestCheckpoint.lastSequence : null;
    return {
      verified,
      tenantId: this.#tenantId,
      events: this.#events,
      checkpoints: this.#checkpoints,
      retired: this.#retired,
      retiredAfterKept: this.#retiredAfterKept,
      gaps: this.#gaps,
      endProven: verified && (provenUpTo === this.#sealed || expectedEvents !== undefined),
      provenUpTo,
      last: this.#last,
      firstBad: this.#bad[0] ?? null,
      bad: this.#bad,
      badPlaces: this.#badPlaces,
    };
  }

  #event(entry: ChainedEvent): void {
    const { sequence, previousHash, hash, event } = entry;
    this.#tenantId ??= event.tenantId;
    const place = { sequence, eventId: event.eventId };
    const expected = this.#sequence === null ? sequence : this.#sequence + 1;
    if (event.tenantId !== this.#tenantId) return this.#badEvent(place, 'it is of another tenant');
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

  #checkpoint(checkpoint: Checkpoint): void {
    this.#tenantId ??= checkpoint.tenantId;
    const batch = this.#batch;
    const unsigned = this.#signatureProblem(checkpoint);
    const problem = unsigned ?? (batch.isBroken ? undefined : this.#problem(checkpoint, batch));
    if (problem !== undefined) {
      const place = batch.first ?? { sequence: checkpoint.firstSequence, eventId: checkpoint.firstEventId };
      this.#report(place, `the checkpoint of its batch does not fit: ${problem}`);
    } else if (!batch.isBroken) {
      if (batch.first === null) this.#noteRetired(checkpoint);
      this.#events += batch.count;
      this.#checkpoints += 1;
    }
    this.#goOnAfter(checkpoint, batch, unsigned === undefined);
    if (unsigned === undefined) this.#compareWithLatest(checkpoint, batch.first);
  }

  /** What comes next is looked at as if this had been right, so that it is not reported again. */
  #goOnAfter(checkpoint: Checkpoint, batch: OpenBatch, isSigned: boolean): void {
    if (isSigned) {
      this.#last = checkpoint;
      this.#sequence = checkpoint.lastSequence;
    }
    // Nobody knows the hash of an event that was removed.
    if (batch.first === null || batch.isBroken) this.#hash = null;
    this.#sealed = this.#sequence ?? checkpoint.lastSequence;
    this.#sequence = this.#sealed;
    this.#checkpointHash = isSigned ? checkpointHash(checkpoint) : undefined;
    this.#batch = new OpenBatch();
  }

  #compareWithLatest(checkpoint: Checkpoint, first: EventPlace | null): void {
    const { latestCheckpoint } = this.#options;
    if (latestCheckpoint?.lastSequence !== checkpoint.lastSequence) return;
    if (isSame(checkpoint, latestCheckpoint)) this.#latestSeen = true;
    else this.#report(first, 'the checkpoint that was given apart says otherwise: history was rewritten');
  }

  #problem(checkpoint: Checkpoint, batch: OpenBatch): string | undefined {
    return (
      this.#placeProblem(checkpoint) ??
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
    if (tenantId !== this.#tenantId) return 'it is of another tenant';
    if (this.#checkpointHash !== undefined && previousCheckpoint !== this.#checkpointHash)
      return 'it does not follow the checkpoint before it';
    const expected = this.#sealed + 1;
    if (firstSequence !== expected || lastSequence !== firstSequence + eventCount - 1)
      return `it is for the events ${firstSequence} to ${lastSequence}, and event ${expected} is next`;
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
    else if (latestCheckpoint !== undefined && !this.#latestSeen) {
      const { lastSequence } = latestCheckpoint;
      this.#gaps += Math.max(0, lastSequence - this.#sealed);
      const reason =
        lastSequence > this.#sealed
          ? `the end was cut off: ${missing(this.#sealed + 1, lastSequence)}`
          : 'the checkpoint that was given apart is not in the export';
      this.#reportAtEnd(latestCheckpoint, reason);
    } else if (this.#badPlaces > 0) return;
    else if (expectedEvents !== undefined && expectedEvents !== this.#events + this.#retired)
      this.#reportAtEnd(null, `there are ${this.#events + this.#retired} events, and ${expectedEvents} were expected`);
    else if (this.#line === 0 && after === undefined) this.#reportAtEnd(null, 'the export is empty');
  }

  #reportAtEnd(witness: Checkpoint | null, reason: string): void {
    const next = this.#sealed + 1;
    this.#line += 1;
    this.#add({
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
    this.#add({ line: this.#line, sequence: place?.sequence ?? null, eventId: place?.eventId ?? null, reason });
  }

  #add(bad: BadLine): void {
    this.#badPlaces += 1;
    if (this.#bad.length < PLACES_KEPT) this.#bad.push(bad);
  }
}

/** Why a checkpoint is not the one over these events, `undefined` when it is. Its signature and its place are not looked at. */
export function contentProblem(checkpoint: Checkpoint, events: readonly ChainedEvent[]): string | undefined {
  const batch = new OpenBatch();
  for (const event of events) batch.add(event);
  return batch.problem(checkpoint);
}

function isSame(checkpoint: Checkpoint, other: Checkpoint | undefined): boolean {
  return other !== undefined && checkpointHash(checkpoint) === checkpointHash(other);
}

function missing(first: number, last: number): string {
  return first === last ? `event ${first} is missing` : `the events ${first} to ${last} are missing`;
}
