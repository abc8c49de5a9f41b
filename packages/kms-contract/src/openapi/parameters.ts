import type { JsonSchema } from '../fields/wire-schema.ts';
import { LIMITS } from '../bounds/limits.ts';
import type { Address, Route } from '../route/route.ts';
import type { Components } from './components.ts';

const UUID = { type: 'string', format: 'uuid' } as const;
/** Clients that have no value for a name send it without one. */
const EMPTY = { type: 'string', maxLength: 0, description: 'The same as absent.' } as const;

/** The headers that requests may carry, as the document lists them. */
export const HEADER_PARAMETERS = {
  RequestId: {
    name: 'x-request-id',
    in: 'header',
    description:
      'Your name for the request: 1 to 128 letters, digits, `_`, `.`, `:` or `-`. The answer repeats it; if it is missing or malformed, the answer holds a new one.',
    schema: { type: 'string' },
  },
  Tenant: {
    name: 'x-qnsp-tenant',
    in: 'header',
    description:
      'The tenant of the call, also `x-qnsp-tenant-id`, `x-tenant-id`, or `tenantId` in query or body. Each one present must be that of the credential. ' +
      'Only a platform credential needs to name one, and one that identity bindings of several tenants let in, which names it in a header.',
    schema: { anyOf: [UUID, EMPTY] },
  },
  IdempotencyKey: {
    name: 'Idempotency-Key',
    in: 'header',
    description:
      'For 24 hours, the same key with the same request repeats the first answer and changes nothing; with another request it is ' +
      '`IDEMPOTENCY_MISMATCH`. A secret is never returned twice. Each tenant has its own keys: any printable text, encoded as UTF-8 if not ASCII.',
    schema: { type: 'string', minLength: 1, maxLength: LIMITS.idempotencyKeyCharacters },
  },
  IfMatch: {
    name: 'If-Match',
    in: 'header',
    description:
      'The revision of the key that you saw, such as `"3"` or `3`; if it has changed since, the call is a `CONFLICT`. If absent, or `*`, any revision is accepted.',
    schema: { type: 'string' },
  },
} as const;

/** The parameters of a route at one of its addresses. */
export function parametersOf(route: Route, { path }: Address, components: Components): readonly JsonSchema[] {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: UUID,
  }));
  const query = components.of(route.query) as { properties?: Record<string, JsonSchema> };
  const inQuery =
    route.auth === 'none'
      ? []
      : Object.entries(query.properties ?? {}).map(([name, { description, ...schema }]) => ({
          name,
          in: 'query',
          ...(description === undefined ? {} : { description }),
          schema: { anyOf: [schema, EMPTY] },
        }));
  return [...inPath, ...inQuery, ...headersOf(route)];
}

function headersOf(route: Route): readonly JsonSchema[] {
  const names: (keyof typeof HEADER_PARAMETERS)[] = ['RequestId'];
  if (route.auth === 'bearer' && route.scope !== 'platform') names.push('Tenant');
  if (route.mutating) names.push('IdempotencyKey');
  if (route.ifMatch) names.push('IfMatch');
  return names.map((name) => ({ $ref: `#/components/parameters/${name}` }));
}
