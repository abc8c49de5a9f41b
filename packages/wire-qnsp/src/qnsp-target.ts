import type { CallKind, CallTarget } from '@qnsp/http-edge';
import { answersKey, bodyLimit, type RawRequest, type Route } from '@qnsp/kms-contract';
import { type AnyHandler, type AnyTogether, handlerOf, togetherOf } from './handlers/handlers.ts';

/** A route of the contract, as the edge looks at it. */
export interface RouteKind extends CallKind {
  readonly route: Route;
  readonly handler: AnyHandler;
  /** How several items of a batch are done at once, where that costs less. */
  readonly together: AnyTogether | undefined;
  /** Whether an answer may be a key, which comes with its entity tag. */
  readonly answersKey: boolean;
}

/** A route with what the path and the query of a request say. */
export interface QnspTarget extends CallTarget, Required<Pick<RawRequest, 'params' | 'query'>> {
  readonly kind: RouteKind;
}

/** What is the same for every call of a route, found once. */
export function kindOf(route: Route): RouteKind {
  return {
    operation: route.operationId,
    isOpen: route.auth === 'none',
    bodyBytes: route.method === 'GET' ? 0 : bodyLimit(route),
    route,
    handler: handlerOf(route),
    together: togetherOf(route),
    answersKey: answersKey(route),
  };
}
