import { andThen, type MaybePromise } from '@qnsp/kms-core/ports';

/**
 * What a call of several items takes from the limit of its caller. All items are taken to be as dear as the dearest so far, which is mostly
 * the first one: so a batch is refused before anything of it is done.
 */
export class Bill {
  readonly #items: number;
  readonly #take: (cost: number, paid: number) => MaybePromise<void>;
  /** What is paid for each item. */
  #each: number;
  #paid: number;
  readonly #base: number;

  /**
   * @param base what an item costs, its work with key material aside; one item has been paid for
   * @param take takes a cost, of which a part was taken before
   */
  constructor(items: number, base: number, take: (cost: number, paid: number) => MaybePromise<void>) {
    this.#items = items;
    this.#take = take;
    this.#base = base;
    this.#each = base;
    this.#paid = base;
  }

  /** Takes what all items cost, their work with key material aside. */
  payForItems(): MaybePromise<void> {
    return this.#payForEach(this.#base);
  }

  /** What one item pays for its work by, piece by piece. */
  payer(): (units: number) => MaybePromise<void> {
    let due = this.#base;
    return (units) => {
      // A unit of each piece is in the base.
      due += units - 1;
      return due > this.#each ? this.#payForEach(due) : undefined;
    };
  }

  #payForEach(each: number): MaybePromise<void> {
    const cost = each * this.#items;
    if (cost <= this.#paid) return undefined;
    const taken = this.#take(cost, this.#paid);
    return andThen(taken, () => {
      this.#each = Math.max(this.#each, each);
      this.#paid = Math.max(this.#paid, cost);
    });
  }
}
