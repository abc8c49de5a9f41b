import type { IncomingMessage } from 'node:http';
import type { Answer } from '@qnsp/http-edge';
import type { RawRequest } from '@qnsp/kms-contract';
import { KmsError } from '@qnsp/kms-core';
import { getQueryParams } from 'hono/utils/url';
import type { QnspTarget } from './qnsp-target.ts';
import { findPath } from './route-table.ts';

/**
 * The route of a request, with its parameters; of a question for the methods of a path, the answer.
 *
 * @throws KmsError `NOT_FOUND`, `METHOD_NOT_ALLOWED`
 */
export function findTarget({ method = '', url = '' }: IncomingMessage): QnspTarget | Answer {
  const found = findPath(pathOf(url));
  if (found === undefined) throw new KmsError('NOT_FOUND', 'There is nothing at this path.');
  const { entry, params } = found;
  const kind = entry.kinds.get(method === 'HEAD' ? 'GET' : method);
  if (kind !== undefined) return { kind, params, query: queryOf(url), keyId: params['keyId'] };
  if (method === 'OPTIONS') return { status: 204, headers: { allow: entry.allow }, body: '' };
  throw new KmsError('METHOD_NOT_ALLOWED', `This path accepts ${entry.allow}.`);
}

/** The methods of the path of a request. */
export function allowedMethods({ url = '' }: IncomingMessage): string | undefined {
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
