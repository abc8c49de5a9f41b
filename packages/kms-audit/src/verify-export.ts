import type { ChainedEvent, Checkpoint } from '@qnsp/kms-core';
import { checkpointHash } from './checkpoint.ts';
import { type CheckpointVerifier, checkpointVerifier } from './checkpoint-signature.ts';
import { eventHash, GENESIS_HASH } from './event-hash.ts';
import { parseExportLine } from './export-lines.ts';
import { merkleRoot } from './merkle-tree.ts';
import { leavesOf } from './seal-batch.ts';

export interface VerifyExportOptions {
  /** The public keys that checkpoints may be signed with, in PEM: more than one after a change of the signing key. */
  readonly publicKeysPem: readonly string[];
  /**
   * A checkpoint that came another way than the export, as from the audit service: without one nothing shows that the
   * end of the export was not cut off.
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

/** Where an export stops being what was signed. */
export interface BadLine {
  /** From 1. */
  readonly line: number;
  /** The first event that is not as it was; `null` where the line names none. */
  readonly eventId: string | null;
  readonly sequence: number | null;
  readonly reason: string;
}

/** Events of batches that follow one another. */
export interface BatchRange {
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly batches: number;
}

export interface ExportReport {
  readonly verified: boolean;
  readonly tenantId: string | null;
  /** Events that were verified. */
  readonly events: number;
  readonly checkpoints: number;
  /** Events that retention removed; their signed checkpoints are there. */
  readonly retired: number;
  /**
   * Those of them that come after a batch that is whole. Retention goes from the oldest to the newest and keeps only what the
   * audit service refused: whoever reads this may ask whether that explains them.
   */
  readonly retiredAfterKept: readonly BatchRange[];
  /** Events that are missing before the first bad line. */
  readonly gaps: number;
  /** Whether something other than the export shows that its end is the end. */
  readonly endProven: boolean;
  /** The last checkpoint that was verified. */
  readonly last: Checkpoint | null;
  readonly firstBad: BadLine | null;
}

/**
 * Verifies an export without the service: every hash, every place in the chain, every Merkle root and every signature.
 * Editing, deleting, inserting or reordering a line is found at the first event that it touches; cutting off the end is
 * found against `latestCheckpoint` or `expectedEvents`.
 *
 * @param lines without their line feeds
 * @throws RangeError when a public key or a checkpoint of the options is of no use.
 * @example
 * await verifyExport(readline.createInterface({ input }), { publicKeysPem: [pem], latestCheckpoint });
 */
export async function verifyExport(
  lines: AsyncIterable<string> | Iterable<string>,
  options: VerifyExportOptions,
): Promise<ExportReport> {
  const walk = new ExportWalk(options);
  for await (const line of lines) if (!walk.take(line)) break;
  return walk.end();
}

class ExportWalk {
  readonly #options: VerifyExportOptions;
  readonly #verifiers: ReadonlyMap<string, CheckpointVerifier>;
  #line = 0;
  #tenantId: string | null = null;
  #sequence = 0;
  /** Of the last event; `null` where retention removed it. */
  #hash: string | null = GENESIS_HASH;
  #checkpointHash: string | null = null;
  #batch: ChainedEvent[] = [];
  #events = 0;
  #checkpoints = 0;
  #retired = 0;
  #retiredAfterKept: BatchRange[] = [];
  #gaps = 0;
  #latestSeen = false;
  #last: Checkpoint | null = null;
  #firstBad: BadLine | null = null;

  constructor(options: VerifyExportOptions) {
    this.#options = options;
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
    this.#tenantId = after.tenantId;
    this.#sequence = after.lastSequence;
    this.#hash = null;
    this.#checkpointHash = checkpointHash(after);
    this.#latestSeen = isSame(after, latestCheckpoint);
  }

  /** Answers whether there is any use in going on. */
  take(line: string): boolean {
    this.#line += 1;
    const parsed = parseExportLine(line);
    if (parsed === undefined) this.#bad(null, 'the line is not one of an export');
    else if (parsed.kind === 'event') this.#event(parsed.entry);
    else this.#checkpoint(parsed.checkpoint);
    return this.#firstBad === null;
  }

  end(): ExportReport {
    if (this.#firstBad === null) this.#checkEnd();
    const { latestCheckpoint, expectedEvents } = this.#options;
    return {
      verified: this.#firstBad === null,
      tenantId: this.#tenantId,
      events: this.#events,
      checkpoints: this.#checkpoints,
      retired: this.#retired,
      retiredAfterKept: this.#retiredAfterKept,
      gaps: this.#gaps,
      endProven: this.#firstBad === null && (latestCheckpoint !== undefined || expectedEvents !== undefined),
      last: this.#last,
      firstBad: this.#firstBad,
    };
  }

  #event(entry: ChainedEvent): void {
    const { sequence, previousHash, hash, event } = entry;
    this.#tenantId ??= event.tenantId;
    const expected = this.#sequence + 1;
    if (event.tenantId !== this.#tenantId) this.#bad(entry, 'it is of another tenant');
    else if (sequence > expected) {
      this.#gaps = sequence - expected;
      this.#bad(entry, `${missing(expected, sequence - 1)} before it`);
    } else if (sequence < expected) this.#bad(entry, `event ${expected} should be here: it was inserted or moved`);
    else if (this.#hash !== null && previousHash !== this.#hash)
      this.#bad(entry, 'it does not follow the event before it');
    else if (eventHash(entry) !== hash) this.#bad(entry, 'it was changed: it does not have the hash that it names');
    else {
      this.#batch.push(entry);
      this.#sequence = sequence;
      this.#hash = hash;
    }
  }

  #checkpoint(checkpoint: Checkpoint): void {
    this.#tenantId ??= checkpoint.tenantId;
    const batch = this.#batch;
    const [first] = batch;
    const problem =
      this.#signatureProblem(checkpoint) ??
      this.#placeProblem(checkpoint) ??
      (first === undefined ? this.#retiredProblem(checkpoint) : contentProblem(checkpoint, batch));
    if (problem !== undefined) {
      this.#bad(first ?? null, `the checkpoint of its batch does not fit: ${problem}`, checkpoint);
      return;
    }
    if (first === undefined) this.#noteRetired(checkpoint);
    this.#sequence = checkpoint.lastSequence;
    this.#events += batch.length;
    this.#checkpoints += 1;
    this.#batch = [];
    this.#checkpointHash = checkpointHash(checkpoint);
    this.#last = checkpoint;
    const { latestCheckpoint } = this.#options;
    if (latestCheckpoint?.lastSequence === checkpoint.lastSequence) {
      if (isSame(checkpoint, latestCheckpoint)) this.#latestSeen = true;
      else this.#bad(first ?? null, 'the checkpoint that was given apart says otherwise: history was rewritten');
    }
  }

  #noteRetired({ eventCount, firstSequence, lastSequence }: Checkpoint): void {
    this.#retired += eventCount;
    this.#hash = null;
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
    if (previousCheckpoint !== this.#checkpointHash) return 'it does not follow the checkpoint before it';
    const expected = this.#sequence - this.#batch.length + 1;
    if (firstSequence !== expected || lastSequence !== firstSequence + eventCount - 1)
      return `it is for the events ${firstSequence} to ${lastSequence}, and event ${expected} is next`;
    return undefined;
  }

  #retiredProblem({ firstSequence, lastSequence, timestamp }: Checkpoint): string | undefined {
    const { retiredBefore } = this.#options;
    const allowed = retiredBefore !== undefined && new Date(timestamp) < retiredBefore;
    if (allowed) return undefined;
    this.#gaps = lastSequence - firstSequence + 1;
    return missing(firstSequence, lastSequence);
  }

  #checkEnd(): void {
    const { latestCheckpoint, expectedEvents } = this.#options;
    const [uncovered] = this.#batch;
    if (uncovered !== undefined) this.#bad(uncovered, 'no checkpoint covers it: the end was cut off or added');
    else if (latestCheckpoint !== undefined && !this.#latestSeen) {
      const { lastSequence } = latestCheckpoint;
      this.#gaps = Math.max(0, lastSequence - this.#sequence);
      const reason =
        lastSequence > this.#sequence
          ? `the end was cut off: ${missing(this.#sequence + 1, lastSequence)}`
          : 'the checkpoint that was given apart is not in the export';
      this.#atEnd(latestCheckpoint, reason);
    } else if (expectedEvents !== undefined && expectedEvents !== this.#events + this.#retired)
      this.#atEnd(null, `there are ${this.#events + this.#retired} events, and ${expectedEvents} were expected`);
    else if (this.#line === 0 && this.#options.after === undefined) this.#atEnd(null, 'the export is empty');
  }

  #atEnd(witness: Checkpoint | null, reason: string): void {
    const next = this.#sequence + 1;
    const eventId = witness?.firstSequence === next ? witness.firstEventId : null;
    this.#firstBad = { line: this.#line + 1, sequence: next, eventId, reason };
  }

  #bad(entry: ChainedEvent | null, reason: string, checkpoint?: Checkpoint): void {
    this.#firstBad ??= {
      line: this.#line,
      sequence: entry?.sequence ?? checkpoint?.firstSequence ?? null,
      eventId: entry?.event.eventId ?? checkpoint?.firstEventId ?? null,
      reason,
    };
  }
}

/** Why a checkpoint is not the one over these events, `undefined` when it is. Its signature and its place are not looked at. */
export function contentProblem(checkpoint: Checkpoint, batch: readonly ChainedEvent[]): string | undefined {
  if (checkpoint.eventCount !== batch.length)
    return `it is for ${checkpoint.eventCount} events, and there are ${batch.length}`;
  const [first, last] = [batch[0]?.event.eventId, batch.at(-1)?.event.eventId];
  if (checkpoint.firstEventId !== first || checkpoint.lastEventId !== last) return 'it names other events';
  const root = merkleRoot(leavesOf(batch)).toString('hex');
  return checkpoint.merkleRoot === root
    ? undefined
    : 'its Merkle root is not that of the events: one of them was changed';
}

function isSame(checkpoint: Checkpoint, other: Checkpoint | undefined): boolean {
  return other !== undefined && checkpointHash(checkpoint) === checkpointHash(other);
}

function missing(first: number, last: number): string {
  return first === last ? `event ${first} is missing` : `the events ${first} to ${last} are missing`;
}
