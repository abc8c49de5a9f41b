import type { Answer, RequestHead } from '@qnsp/http-edge';
import type { RawRequest } from '@qnsp/kms-contract';
import { KmsError } from '@qnsp/kms-core';
import { getQueryParams } from 'hono/utils/url';
import { nothingAtPath } from './handlers/nothing-at-path.ts';
import type { QnspTarget, RouteKind } from './qnsp-target.ts';
import { findPath } from './route-table.ts';

/**
 * The route of a request, with its parameters; of a question for the methods of a path, the answer.
 *
 * @throws KmsError `NOT_FOUND`, `METHOD_NOT_ALLOWED`
 */
export function findTarget({ method = '', url = '', headers }: RequestHead): QnspTarget | Answer {
  const found = findPath(pathOf(url));
  if (found === undefined) throw nothingAtPath();
  const { entry, params } = found;
  const read = method === 'HEAD' ? 'GET' : method;
  const kind = (read === 'GET' ? acceptedKind(entry.accepting, headers.accept) : undefined) ?? entry.kinds.get(read);
  if (kind !== undefined) return { kind, params, query: queryOf(url), keyId: params['keyId'] };
  if (method === 'OPTIONS') return { status: 204, headers: { allow: entry.allow }, body: '' };
  throw new KmsError('METHOD_NOT_ALLOWED', `This path accepts ${entry.allow}.`);
}

/** What answers in a type that a request accepts by its name, as it does not accept the usual one by that. */
function acceptedKind(kinds: readonly RouteKind[], accept = ''): RouteKind | undefined {
  if (kinds.length === 0) return undefined;
  const types = accept.split(',').map((each) => each.split(';')[0]?.trim().toLowerCase());
  return kinds.find(({ route }) => types.includes(route.contentType));
}

/** Whether there is something at the path of a request besides what an open route answers. */
export function isOfCallers({ url = '' }: RequestHead): boolean {
  const found = findPath(pathOf(url));
  return found !== undefined && [...found.entry.kinds.values()].some(({ isOpen }) => !isOpen);
}

/** Whether there is something at the path of a request. */
export function isKnown({ url = '' }: RequestHead): boolean {
  return findPath(pathOf(url)) !== undefined;
}

/** The methods of the path of a request. */
export function allowedMethods({ url = '' }: RequestHead): string | undefined {
  return findPath(pathOf(url))?.entry.allow;
}

function pathOf(url: string): string {
  const query = url.indexOf('?');
  return query === -1 ? url : url.slice(0, query);
}

/** A name that is given once as its value, one that is given more often as a list, which no field takes. */
function queryOf(url: string): NonNullable<RawRequest['query']> {
  // Without a name it answers all of them.
  const all = getQueryParams(url) as Record<string, string[]>;
  return Object.fromEntries(
    Object.entries(all).map(([name, values]) => [name, values.length === 1 ? values[0] : values]),
  );
}
