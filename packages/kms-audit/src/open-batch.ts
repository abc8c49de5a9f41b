import type { ChainedEvent, Checkpoint } from '@qnsp/kms-core/ports';
import { GrowingRoot } from './merkle-tree.ts';

/** An event by its name and its place. */
export type EventPlace = Pick<ChainedEvent, 'sequence'> & { readonly eventId: string };

/** Events that wait for their checkpoint: what is needed to compare it with them, however many they are. */
export class OpenBatch {
  readonly #root = new GrowingRoot();
  #count = 0;
  #first: EventPlace | null = null;
  #lastEventId: string | null = null;
  /** Something in it is wrong and was reported: that its checkpoint does not match then is no news. */
  isBroken = false;

  /** Whether nothing came yet. */
  get isEmpty(): boolean {
    return this.#count === 0 && !this.isBroken;
  }

  get count(): number {
    return this.#count;
  }

  get first(): EventPlace | null {
    return this.#first;
  }

  add({ sequence, hash, event: { eventId } }: ChainedEvent): void {
    this.#count += 1;
    this.#first ??= { sequence, eventId };
    this.#lastEventId = eventId;
    this.#root.add(Buffer.from(hash, 'hex'));
  }

  /**
   * Why a checkpoint is not the one over these events, `undefined` if it is. Its signature and its place are not
   * checked.
   */
  problem(checkpoint: Checkpoint): string | undefined {
    if (checkpoint.eventCount !== this.#count)
      return `it is for ${checkpoint.eventCount} events, and there are ${this.#count}`;
    if (checkpoint.firstEventId !== this.#first?.eventId || checkpoint.lastEventId !== this.#lastEventId)
      return 'it names other events';
    return checkpoint.merkleRoot === this.#root.root().toString('hex')
      ? undefined
      : 'its Merkle root is not that of the events: one of them was changed';
  }
}
