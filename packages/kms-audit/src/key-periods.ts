import type { Checkpoint, SigningKeyPeriod } from '@qnsp/kms-core/ports';
import { signingKeyId } from './chain-tail.ts';

const MOST_PERIODS = 1000;
const MOST_NOTES = 10;

/** Which keys signed an export, and what people should know of checkpoints that could not say so themselves. */
export class KeyPeriods {
  readonly #periods: SigningKeyPeriod[] = [];
  readonly #notes: string[] = [];
  #sealedAt = Number.NEGATIVE_INFINITY;

  /** The event from which a key signed; a key that signed again is listed again. */
  get periods(): readonly SigningKeyPeriod[] {
    return this.#periods;
  }

  get notes(): readonly string[] {
    return this.#notes;
  }

  note(checkpoint: Checkpoint): void {
    const { firstSequence, timestamp, version } = checkpoint;
    const keyId = signingKeyId(checkpoint) ?? '';
    const sealedAt = Date.parse(timestamp);
    if (sealedAt < this.#sealedAt && version === undefined)
      this.#add(`the checkpoint of event ${firstSequence} claims to be older than the one before it`);
    this.#sealedAt = sealedAt;
    if (this.#periods.at(-1)?.keyId === keyId) return;
    if (this.#periods.some((period) => period.keyId === keyId))
      this.#add(`the key ${keyId} signed again from event ${firstSequence} on, after another one`);
    if (this.#periods.length < MOST_PERIODS) this.#periods.push({ keyId, firstSequence });
  }

  #add(note: string): void {
    if (this.#notes.length < MOST_NOTES) this.#notes.push(note);
  }
}
