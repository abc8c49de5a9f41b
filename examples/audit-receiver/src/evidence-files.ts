import {
  closeSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { checkpointHash, exportLines, parseExportLine, type Checkpoint, type EvidenceBatch } from '@qnsp/kms-audit';

/** How a batch fits to what is stored of its tenant. */
export type Stored = 'stored' | 'known' | 'stored after a gap' | 'contradicts what is stored';

/** Evidence in one file for each tenant, each of them an export that can be verified as it is. */
export class EvidenceFiles {
  readonly #directory: string;
  /** The checkpoints of each tenant by the place where they begin. */
  readonly #checkpoints = new Map<string, Map<number, Checkpoint>>();
  /** How many bytes of each file are whole batches. */
  readonly #sizes = new Map<string, number>();

  /** Opens a directory, and cuts off what a crash left half written. */
  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(directory)) if (name.endsWith('.jsonl')) this.#recover(join(directory, name));
  }

  /** Stores a batch that was verified, durably, unless it is stored already. */
  store(batch: EvidenceBatch): Stored {
    const { checkpoint } = batch;
    const known = this.#checkpoints.get(checkpoint.tenantId) ?? new Map<number, Checkpoint>();
    const same = known.get(checkpoint.firstSequence);
    if (same !== undefined)
      return checkpointHash(same) === checkpointHash(checkpoint) ? 'known' : 'contradicts what is stored';
    const last = [...known.values()].at(-1);
    if (last !== undefined && checkpoint.firstSequence <= last.lastSequence) return 'contradicts what is stored';
    const expected = last === undefined ? null : checkpointHash(last);
    this.#append(join(this.#directory, `${checkpoint.tenantId}.jsonl`), exportLines(batch.events, checkpoint));
    this.#checkpoints.set(checkpoint.tenantId, known.set(checkpoint.firstSequence, checkpoint));
    return checkpoint.previousCheckpoint === expected ? 'stored' : 'stored after a gap';
  }

  /** Adds all of a text to a file, or nothing: half of a batch could never be verified. */
  #append(path: string, text: string): void {
    const file = openSync(path, 'a', 0o600);
    try {
      const size = this.#sizes.get(path) ?? 0;
      const found = fstatSync(file).size;
      // Filled up, it would look whole.
      if (found < size) throw new Error(`${path} lost ${size - found} of ${size} bytes that were stored: restore it.`);
      // What an attempt before left that could not even be cut off.
      if (found > size) ftruncateSync(file, size);
      const bytes = Buffer.from(text);
      try {
        // A disk that is about to be full takes a part.
        for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written);
        fsyncSync(file);
      } catch (error) {
        ftruncateSync(file, size);
        throw error;
      }
      this.#sizes.set(path, size + bytes.length);
    } finally {
      closeSync(file);
    }
  }

  #recover(path: string): void {
    let whole = 0;
    let offset = 0;
    for (const line of readFileSync(path, 'utf8').split('\n')) {
      offset += Buffer.byteLength(line) + 1;
      const parsed = parseExportLine(line);
      if (parsed?.kind !== 'checkpoint') continue;
      const { checkpoint } = parsed;
      const known = this.#checkpoints.get(checkpoint.tenantId) ?? new Map<number, Checkpoint>();
      this.#checkpoints.set(checkpoint.tenantId, known.set(checkpoint.firstSequence, checkpoint));
      whole = offset;
    }
    this.#sizes.set(path, whole);
    const file = openSync(path, 'r+');
    try {
      ftruncateSync(file, whole);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  }
}
