import { z } from 'zod';
import { check, quotable } from './issues.ts';
import type { RawRequest } from './raw-request.ts';
import type { Route } from '../route/route.ts';

type RawQuery = NonNullable<RawRequest['query']>;

/**
 * Checks a query; an empty value counts as absent, since clients send `cursor=` when they have none. Lists ignore names
 * that they do not know, and the open routes look at none: probes call them with their own names.
 */
export function parseQuery<R extends Route>(route: R, raw: RawQuery): z.output<R['query']> {
  const given = route.auth === 'none' ? [] : givenIn(raw).filter(([name]) => !route.list || isKnown(route, name));
  return check<R['query']>(route.query, Object.fromEntries(given));
}

/** Warns of the names in the query of a list that the service does not know. Elsewhere they are refused. */
export function passedOver(route: Route, raw: RawQuery): readonly string[] {
  if (!route.list) return [];
  const names = givenIn(raw).flatMap(([name]) => (isKnown(route, name) ? [] : [quotable(name)]));
  return [...new Set(names)].slice(0, MAX_WARNINGS).map((name) => `The query has the unknown parameter ${name}.`);
}

const MAX_WARNINGS = 20;

function givenIn(raw: RawQuery): readonly (readonly [string, string | readonly string[]])[] {
  return Object.entries(raw).flatMap(([name, value]) => {
    // Some languages write the cursor of the first page like this.
    if (value === undefined || value === '' || (name === 'cursor' && value === 'null')) return [];
    return [[name, value] as const];
  });
}

function isKnown({ query }: Route, name: string): boolean {
  return query instanceof z.ZodObject && Object.hasOwn(query.shape, name);
}
