import type { OperationId, Route } from '@qnsp/kms-contract';
import type { Caller } from '@qnsp/kms-core';
import type { Operation } from '@qnsp/kms-core/internal';
import { administrationHandlers } from './administration-handlers.ts';
import { cryptoHandlers } from './crypto-handlers.ts';
import { auditHandlers } from './audit-handlers.ts';
import type { Call, Handlers } from './handler.ts';
import { keyHandlers } from './key-handlers.ts';
import { lifecycleHandlers } from './lifecycle-handlers.ts';
import { serviceHandlers } from './service-handlers.ts';

/** The compiler checks here that no operation of the contract is without its handler. */
const HANDLERS: Handlers = {
  ...keyHandlers,
  ...lifecycleHandlers,
  ...cryptoHandlers,
  ...administrationHandlers,
  ...auditHandlers,
  ...serviceHandlers,
};

/** A handler whose operation is known only at run time. */
export type AnyHandler = (
  call: Pick<Call<OperationId>, 'facts'> & {
    readonly op: Omit<Operation, 'caller'> & { readonly caller: Caller | undefined };
    readonly request: unknown;
  },
) => unknown;

/** The handler of a route. */
export function handlerOf(route: Route): AnyHandler {
  // The request was parsed by this same route and open routes look at no caller, so the handler gets what its type says.
  return HANDLERS[route.operationId as OperationId] as unknown as AnyHandler;
}
