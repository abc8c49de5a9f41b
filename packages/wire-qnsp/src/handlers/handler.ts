import type { ChangedKey, OperationId, RequestOf, ResponseOf } from '@qnsp/kms-contract';
import type { Caller, IdempotencyRequest, Kms, MaybePromise } from '@qnsp/kms-core';
import type { ServiceFacts } from './service-facts.ts';

/** One validated call of an operation. */
export interface Call<Id extends OperationId> {
  readonly facts: ServiceFacts;
  readonly kms: Kms;
  /** Who calls. Handlers of open routes, which nobody signs in to, must not look at it. */
  readonly caller: Caller;
  readonly request: RequestOf<Id>;
  /** Holds `idempotency` when the client sent an `Idempotency-Key`; to be spread into the input of the core. */
  readonly once: { readonly idempotency?: IdempotencyRequest };
}

/** Maps a call to the core and its result to the answer of the contract, bytes as bytes; a change may answer less. */
type Handler<Id extends OperationId> = (call: Call<Id>) => MaybePromise<ResponseOf<Id> | ChangedKey>;

/** One handler for every operation of the contract. */
export type Handlers = { readonly [Id in OperationId]: Handler<Id> };
