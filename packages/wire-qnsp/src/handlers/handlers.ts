import type { OperationId, Route } from '@qnsp/kms-contract';
import type { Caller, KmsError } from '@qnsp/kms-core';
import type { Operation } from '@qnsp/kms-core/internal';
import { administrationHandlers } from './administration-handlers.ts';
import { approvalHandlers } from './approval-handlers.ts';
import { cryptoHandlers, togetherHandlers } from './crypto-handlers.ts';
import { auditHandlers } from './audit-handlers.ts';
import type { Call, Handlers, TogetherHandlers } from './handler.ts';
import { inventoryHandlers } from './inventory-handlers.ts';
import { keyHandlers } from './key-handlers.ts';
import { lifecycleHandlers } from './lifecycle-handlers.ts';
import { serviceHandlers } from './service-handlers.ts';

/** The compiler checks here that no operation of the contract is without its handler. */
const HANDLERS: Handlers = {
  ...keyHandlers,
  ...lifecycleHandlers,
  ...cryptoHandlers,
  ...administrationHandlers,
  ...approvalHandlers,
  ...auditHandlers,
  ...inventoryHandlers,
  ...serviceHandlers,
};

/** A handler whose operation is known only at run time. */
export type AnyHandler = (
  call: Pick<Call<OperationId>, 'facts'> & {
    readonly op: Omit<Operation, 'caller'> & { readonly caller: Caller | undefined };
    readonly request: unknown;
  },
) => unknown;

const TOGETHER: TogetherHandlers = togetherHandlers;

/** How several items of a batch are done at once, of an operation that is known only at run time. */
export interface AnyTogether {
  readonly together: (op: Operation, bodies: readonly unknown[]) => readonly (object | KmsError | undefined)[];
  readonly bytes: (body: unknown) => number;
}

/** How several items of a batch of a route are done at once; `undefined` where one by one costs no more. */
export function togetherOf(route: Route): AnyTogether | undefined {
  // The bodies were parsed by this same route.
  return TOGETHER[route.operationId as OperationId] as AnyTogether | undefined;
}

/** The handler of a route. */
export function handlerOf(route: Route): AnyHandler {
  // The request was parsed by this same route and open routes look at no caller, so the handler gets what its type says.
  return HANDLERS[route.operationId as OperationId] as unknown as AnyHandler;
}
