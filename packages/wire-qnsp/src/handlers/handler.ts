import type { ChangedKey, OperationId, RequestOf, ResponseOf } from '@qnsp/kms-contract';
import type { Operation } from '@qnsp/kms-core/internal';
import type { MaybePromise } from '@qnsp/kms-core/ports';
import type { ServiceFacts } from './service-facts.ts';

/** One validated call of an operation. */
export interface Call<Id extends OperationId> {
  readonly facts: ServiceFacts;
  /** What operations of the core take. Handlers of open routes, which nobody signs in to, must not look at its caller. */
  readonly op: Operation;
  readonly request: RequestOf<Id>;
}

/** Maps a call to the core and its result to the answer of the contract, bytes as bytes; a change may answer less. */
type Handler<Id extends OperationId> = (call: Call<Id>) => MaybePromise<ResponseOf<Id> | ChangedKey>;

/** One handler for every operation of the contract. */
export type Handlers = { readonly [Id in OperationId]: Handler<Id> };
