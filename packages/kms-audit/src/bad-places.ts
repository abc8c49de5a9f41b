import type { BadLine } from './export-report.ts';

/** This many places are kept in a report; the others are counted. */
const PLACES_KEPT = 100;

/** What is wrong with an export, in the order in which it was found. */
export class BadPlaces {
  readonly #places: BadLine[] = [];
  #count = 0;

  /** The first of them. */
  get places(): readonly BadLine[] {
    return this.#places;
  }

  get count(): number {
    return this.#count;
  }

  add(bad: BadLine): void {
    this.#count += 1;
    if (this.#places.length < PLACES_KEPT) this.#places.push(bad);
  }
}
