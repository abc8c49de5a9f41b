import type { CallKind, CallTarget } from '@qnsp/http-edge';
import { bodyLimit, type RawRequest, type Route } from '@qnsp/kms-contract';

/** A route of the contract, as the edge looks at it. */
export interface RouteKind extends CallKind {
  readonly route: Route;
}

/** A route with what the path and the query of a request say. */
export interface QnspTarget extends CallTarget, Required<Pick<RawRequest, 'params' | 'query'>> {
  readonly kind: RouteKind;
}

export function kindOf(route: Route): RouteKind {
  return {
    operation: route.operationId,
    isOpen: route.auth === 'none',
    bodyBytes: route.method === 'GET' ? 0 : bodyLimit(route),
    route,
  };
}
