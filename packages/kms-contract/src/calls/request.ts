import { z } from 'zod';
import type { Address, Route } from '../route/route.ts';
import type { ParamsOf, ParsedRequest } from './parse.ts';

/** What a client gives for a call: what the service's handler gets, without what follows from it. */
export type RequestInput<R extends Route> = Partial<Pick<ParsedRequest<R>, 'query' | 'ifRevision' | 'idempotencyKey'>> &
  NeededUnlessEmpty<'params', ParamsOf<R>> &
  NeededUnlessEmpty<'body', z.output<R['body']>>;

/** A property that may be left out when it may be empty. */
type NeededUnlessEmpty<Name extends string, T> =
  Record<string, never> extends T ? { readonly [Key in Name]?: T } : { readonly [Key in Name]: T };

/** A call as it goes over the wire, to send to `path` with its query and the JSON of `body`. */
export interface EncodedRequest extends Address {
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  /** `undefined` where there is nothing to send. */
  readonly body: unknown;
}

/**
 * The call of a route, for clients: the reverse of `parseRequest`.
 *
 * @throws ZodError for a value that the route does not accept.
 * @example
 * import { encodeRequest, ROUTES } from '@qnsp/kms-contract';
 * const keyId = '018f6f3e-1111-7000-8000-000000000001';
 * const { method, path } = encodeRequest(ROUTES.encrypt, { body: { keyId, plaintext: Buffer.from('hi') } });
 * console.log(method, path); // POST /kms/v1/keys/018f6f3e-1111-7000-8000-000000000001/encrypt
 */
export function encodeRequest<R extends Route>(route: R, input: RequestInput<R>): EncodedRequest {
  // The generic input is a plain request; its types were checked where it was made.
  const { params = {}, query = {}, body = {}, ifRevision, idempotencyKey } = input as Partial<ParsedRequest>;
  const json = z.encode(route.body, body) as Record<string, unknown>;
  const { address, fields } = chooseAddress(route, json);
  return {
    method: address.method,
    path: fillPath(address.path, { ...params, ...fields.path }),
    query: z.encode(route.query, query) as Record<string, string>,
    headers: {
      ...(ifRevision === undefined ? {} : { 'if-match': `"${ifRevision}"` }),
      ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
    },
    body: address.method === 'GET' ? undefined : fields.body,
  };
}

interface Fields {
  readonly path: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, unknown>>;
}

/** A crypto request goes to the path of its key, or, without one, where the ciphertext names it. */
function chooseAddress(
  route: Route,
  json: Readonly<Record<string, unknown>>,
): { readonly address: Address; readonly fields: Fields } {
  if (route.crypto === undefined) return { address: route, fields: { path: {}, body: json } };
  const { [route.crypto.keyField]: keyId, ...body } = json;
  if (typeof keyId === 'string') return { address: route, fields: { path: { keyId }, body } };
  return { address: route.also?.[0] ?? route, fields: { path: {}, body } };
}

function fillPath(path: string, params: Readonly<Record<string, string>>): string {
  return path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const value = params[name];
    if (value === undefined) throw new Error(`${path} needs ${name}`);
    return encodeURIComponent(value);
  });
}
