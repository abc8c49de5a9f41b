/** A checkpoint that an export went through, as a place from which a later epoch may continue. */
export interface Landmark {
  /** Of its last event. */
  readonly sequence: number;
  /** Of that event; `null` where it is not known. */
  readonly hash: string | null;
  readonly checkpointHash: string;
  /** When it was sealed, in milliseconds since 1970. */
  readonly sealedAt: number;
  /** A number by which the caller that adds it knows its signing keys. */
  readonly signers: number;
}

const HASH_BYTES = 32;
const RECORD_BYTES = 2 * HASH_BYTES + 24;
const RECORDS_PER_CHUNK = 4096;
/** With more than those a restore that goes back further is not followed: 90 MB. */
const MOST_CHUNKS = 256;
/** A look goes through all of them, and nobody needs so many. */
const MOST_LOOKS = 100;
/** Stands for a hash that is not known: nothing has this one. */
const UNKNOWN = Buffer.alloc(HASH_BYTES);

/** The places that an export went through, in little memory, because there are as many as batches. */
export class Landmarks {
  readonly #chunks: Buffer[] = [];
  #count = 0;
  #looks = 0;

  add({ sequence, hash, checkpointHash, sealedAt, signers }: Landmark): void {
    const at = this.#count % RECORDS_PER_CHUNK;
    if (at === 0) this.#chunks.push(Buffer.alloc(RECORDS_PER_CHUNK * RECORD_BYTES));
    if (this.#chunks.length > MOST_CHUNKS) this.#chunks.shift();
    const record = this.#chunks.at(-1)?.subarray(at * RECORD_BYTES, (at + 1) * RECORD_BYTES);
    if (record === undefined) return;
    record.write(checkpointHash, 0, 'hex');
    if (hash !== null) record.write(hash, HASH_BYTES, 'hex');
    record.writeDoubleBE(sequence, 2 * HASH_BYTES);
    record.writeDoubleBE(sealedAt, 2 * HASH_BYTES + 8);
    record.writeDoubleBE(signers, 2 * HASH_BYTES + 16);
    this.#count += 1;
  }

  /** The newest one that ends with an event of this place, and of this hash where it is known. */
  endingAt(sequence: number, hash: string): Landmark | undefined {
    return this.#find((found) => found.sequence === sequence && (found.hash === null || found.hash === hash));
  }

  /** The one of a checkpoint. */
  of(checkpointHash: string): Landmark | undefined {
    return this.#find((found) => found.checkpointHash === checkpointHash);
  }

  #find(isIt: (landmark: Landmark) => boolean): Landmark | undefined {
    this.#looks += 1;
    if (this.#looks > MOST_LOOKS) return undefined;
    const inLast = ((this.#count - 1) % RECORDS_PER_CHUNK) + 1;
    for (let chunk = this.#chunks.length - 1; chunk >= 0; chunk -= 1)
      for (let at = (chunk === this.#chunks.length - 1 ? inLast : RECORDS_PER_CHUNK) - 1; at >= 0; at -= 1) {
        const found = read(this.#chunks[chunk]?.subarray(at * RECORD_BYTES, (at + 1) * RECORD_BYTES) ?? UNKNOWN);
        if (isIt(found)) return found;
      }
    return undefined;
  }
}

function read(record: Buffer): Landmark {
  const hash = record.subarray(HASH_BYTES, 2 * HASH_BYTES);
  return {
    checkpointHash: record.toString('hex', 0, HASH_BYTES),
    hash: hash.equals(UNKNOWN) ? null : hash.toString('hex'),
    sequence: record.readDoubleBE(2 * HASH_BYTES),
    sealedAt: record.readDoubleBE(2 * HASH_BYTES + 8),
    signers: record.readDoubleBE(2 * HASH_BYTES + 16),
  };
}
