import { OPERATIONS, type OperationName } from '@qnsp/kms-core';
import type { CostClass } from '@qnsp/kms-core/internal';

/** Units of a rate limit for each class of cost, which are orders of magnitude apart. One is the work of the cheapest call. */
const UNITS: Readonly<Record<CostClass, number>> = { memory: 1, read: 10, write: 100, slow: 1000 };

/** What a call of an operation takes from a rate limit. */
export function costOf(operation: OperationName): number {
  return UNITS[OPERATIONS[operation].cost];
}
