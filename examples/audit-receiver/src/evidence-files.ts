import {
  closeSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import {
  checkpointHash,
  exportLines,
  type Line,
  LineSplitter,
  parseExportLine,
  type Checkpoint,
  type EvidenceBatch,
} from '@qnsp/kms-audit';

const PIECE_BYTES = 1024 * 1024;

/** How a batch fits to what is stored of its tenant. */
export type Stored = 'stored' | 'known' | 'stored after a gap' | 'contradicts what is stored';

/** What is stored of a tenant. */
interface Chain {
  /** The checkpoints by their hashes, of all epochs. */
  readonly hashes: Set<string>;
  last: Checkpoint;
  /** Since when its epoch is; empty for the first. An epoch begins when the database of the service was restored. */
  since: string;
}

/** Evidence in one file for each tenant, each of them an export that can be verified as it is. */
export class EvidenceFiles {
  readonly #directory: string;
  readonly #chains = new Map<string, Chain>();
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
    const chain = this.#chains.get(checkpoint.tenantId);
    if (chain?.hashes.has(checkpointHash(checkpoint)) === true) return 'known';
    const since = sinceOf(checkpoint, chain);
    const isNewEpoch = chain !== undefined && since > chain.since;
    if (chain !== undefined && !isNewEpoch) {
      // What the service sealed before its database was restored, or beside it, has no place behind what came since.
      if (since < chain.since || checkpoint.firstSequence <= chain.last.lastSequence)
        return 'contradicts what is stored';
    }
    const follows = isFollowing(checkpoint, chain, isNewEpoch);
    this.#append(join(this.#directory, `${checkpoint.tenantId}.jsonl`), exportLines(batch.events, checkpoint));
    this.#note(checkpoint);
    return follows ? 'stored' : 'stored after a gap';
  }

  #note(checkpoint: Checkpoint): void {
    const chain = this.#chains.get(checkpoint.tenantId);
    const hash = checkpointHash(checkpoint);
    if (chain === undefined)
      this.#chains.set(checkpoint.tenantId, {
        hashes: new Set([hash]),
        last: checkpoint,
        since: sinceOf(checkpoint, undefined),
      });
    else {
      chain.hashes.add(hash);
      chain.since = sinceOf(checkpoint, chain);
      chain.last = checkpoint;
    }
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
    for (const line of linesIn(path)) {
      offset += (typeof line === 'string' ? Buffer.byteLength(line) : line.bytes) + 1;
      const parsed = typeof line === 'string' ? parseExportLine(line) : undefined;
      if (parsed?.kind !== 'checkpoint') continue;
      this.#note(parsed.checkpoint);
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

/** An older node beside newer ones says nothing of epochs: it is in the present one. */
function sinceOf({ version, epoch }: Checkpoint, chain: Chain | undefined): string {
  return version === undefined ? (chain?.since ?? '') : (epoch?.since ?? '');
}

/** Whether nothing is missing before a checkpoint: a new epoch may go on from any that is stored, or from the beginning. */
function isFollowing({ previousCheckpoint }: Checkpoint, chain: Chain | undefined, isNewEpoch: boolean): boolean {
  if (chain === undefined || previousCheckpoint === null) return previousCheckpoint === null;
  return isNewEpoch ? chain.hashes.has(previousCheckpoint) : previousCheckpoint === checkpointHash(chain.last);
}

/** The lines of a file that end, piece by piece: a file may be larger than the memory. */
function* linesIn(path: string): Generator<Line> {
  const file = openSync(path, 'r');
  try {
    const splitter = new LineSplitter();
    const piece = Buffer.alloc(PIECE_BYTES);
    for (let bytes = readSync(file, piece); bytes > 0; bytes = readSync(file, piece))
      yield* splitter.push(Buffer.from(piece.subarray(0, bytes)));
  } finally {
    closeSync(file);
  }
}
