import type { ChangedKey, OperationId, RequestOf, ResponseOf } from '@qnsp/kms-contract';
import type { KmsError } from '@qnsp/kms-core';
import type { Operation } from '@qnsp/kms-core/internal';
import type { MaybePromise } from '@qnsp/kms-core/ports';
import type { OfferedFacts } from './service-facts.ts';
import type { TextStream } from './text-stream.ts';

/** One validated call of an operation. */
export interface Call<Id extends OperationId> {
  readonly facts: OfferedFacts;
  /** What operations of the core take. Handlers of open routes, which nobody signs in to, must not look at its caller. */
  readonly op: Operation;
  readonly request: RequestOf<Id>;
}

/**
 * Maps a call to the core and its result to the answer of the contract, bytes as bytes; a change may answer less, and a text may be a
 * stream.
 */
type Handler<Id extends OperationId> = (
  call: Call<Id>,
) => MaybePromise<ResponseOf<Id> | ChangedKey | (ResponseOf<Id> extends string ? TextStream : never)>;

/** One handler for every operation of the contract. */
export type Handlers = { readonly [Id in OperationId]: Handler<Id> };

/** How several items of a batch are done at once. */
interface Together<Id extends OperationId> {
  /**
   * Does what can be done at once: in the order of the items the answer, or why there is none, or `undefined` for an item that is left to
   * the handler of its operation. The operation is one for all of them, and a unit of each has been paid.
   */
  readonly together: (
    op: Operation,
    bodies: readonly RequestOf<Id>['body'][],
  ) => readonly (ResponseOf<Id> | KmsError | undefined)[];
  /** How many bytes an item is about. */
  readonly bytes: (body: RequestOf<Id>['body']) => number;
}

/** What is done of several items at once, for the operations where that costs less. */
export type TogetherHandlers = { readonly [Id in OperationId]?: Together<Id> };
