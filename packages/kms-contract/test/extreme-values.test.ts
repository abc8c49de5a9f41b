import { KmsError } from '@qnsp/kms-core';
import { describe, expect, it } from 'vitest';
import { EXAMPLE } from '../src/answers/examples.ts';
import { ALL_ROUTES, openApiDocument, parseRequest, type RawRequest, ROUTES, type Route } from '../src/index.ts';

const { keyId } = EXAMPLE;

type Place = readonly [route: Route, path: string, request: (value: unknown) => RawRequest];

const statement = { effect: 'allow', actions: ['kms:encrypt'], resources: ['*'] };
const policyWith = (time: object) => ({ version: '1', statements: [{ ...statement, conditions: { time } }] });
const ofKey = (body: object): RawRequest => ({ params: { keyId }, body });
const wrapped = { ...ROUTES.importKey.example.body };

/** Every place of a request that takes an instant. */
const INSTANTS: readonly Place[] = [
  [ROUTES.createKey, 'usageLimits.expiresAt', (at) => ({ body: { usageLimits: { expiresAt: at } } })],
  [ROUTES.importKey, 'usageLimits.expiresAt', (at) => ({ body: { ...wrapped, usageLimits: { expiresAt: at } } })],
  [ROUTES.updateKey, 'usageLimits.expiresAt', (at) => ofKey({ usageLimits: { expiresAt: at } })],
  [ROUTES.createToken, 'expiresAt', (at) => ({ body: { name: 'a', role: 'auditor', expiresAt: at } })],
  [
    ROUTES.createIdentityBinding,
    'expiresAt',
    (at) => ({ body: { issuer: 'i', match: { sub: 'a' }, role: 'auditor', expiresAt: at } }),
  ],
  [ROUTES.denyIdentity, 'before', (at) => ({ body: { issuer: 'i', sub: 'a', before: at } })],
  [ROUTES.destroyKey, 'acknowledgeLastUse', (at) => ofKey({ acknowledgeLastUse: at })],
  [ROUTES.destroyKey, 'acknowledgeLastUse', (at) => ({ ...ofKey({}), query: { acknowledgeLastUse: String(at) } })],
  [ROUTES.shredKey, 'acknowledgeLastUse', (at) => ofKey({ confirmation: 'SHRED-', acknowledgeLastUse: at })],
  [ROUTES.listAuditEvents, 'from', (at) => ({ query: { from: String(at) } })],
  [ROUTES.listAuditEvents, 'to', (at) => ({ query: { to: String(at) } })],
  ...(['notBefore', 'notAfter'] as const).flatMap((end): readonly Place[] => [
    [
      ROUTES.createKey,
      `policy.statements[0].conditions.time.${end}`,
      (at) => ({ body: { policy: policyWith({ [end]: at }) } }),
    ],
    [
      ROUTES.importKey,
      `policy.statements[0].conditions.time.${end}`,
      (at) => ({ body: { ...wrapped, policy: policyWith({ [end]: at }) } }),
    ],
    [ROUTES.putKeyPolicy, `statements[0].conditions.time.${end}`, (at) => ofKey(policyWith({ [end]: at }))],
  ]),
];

const BAD_INSTANTS = [
  '0001-01-01T00:00:00Z',
  '1969-12-31T23:59:59Z',
  '1970-01-01T00:00:00+01:00',
  '9999-12-31T23:59:59-14:00',
  '-271821-04-20T00:00:00Z',
  '+275760-09-13T00:00:00Z',
  '2030-01-01',
];

function pathsRefused(route: Route, raw: RawRequest): readonly unknown[] {
  try {
    parseRequest(route, raw);
    return [];
  } catch (error) {
    if (!KmsError.is(error) || error.code !== 'BAD_REQUEST') throw error;
    const { issues } = error.details as { readonly issues: readonly { readonly path: string }[] };
    return issues.map(({ path }) => path);
  }
}

describe('every instant of a request', () => {
  it.each(INSTANTS.map(([route, path, request]) => [route.operationId, path, route, request] as const))(
    '%s: %s is refused by its path when no record can hold it',
    (_id, path, route, request) => {
      expect(pathsRefused(route, request('2030-01-31T12:00:00Z'))).toEqual([]);
      for (const at of BAD_INSTANTS) expect(pathsRefused(route, request(at))).toEqual([path]);
    },
  );

  it('stands in the table above', () => {
    const document = openApiDocument({ version: 'test' });
    const found = ALL_ROUTES.flatMap((route) => {
      const operation = memberOf(document, 'paths', route.path, route.method.toLowerCase());
      const [parameters, body] = [operation['parameters'], memberOf(operation, 'requestBody', 'content')];
      return [...instantsIn(document, parameters), ...instantsIn(document, body)].map(() => route.operationId);
    });
    const known = INSTANTS.map(([route]) => route.operationId);
    expect(found.toSorted()).toEqual(known.toSorted());
  });
});

function memberOf(json: unknown, ...path: readonly string[]): Record<string, unknown> {
  return path.reduce<unknown>((value, name) => (value as Record<string, unknown> | undefined)?.[name], json) as Record<
    string,
    unknown
  >;
}

/** The schemas of instants in a part of the document, through its references. */
function instantsIn(document: unknown, part: unknown): readonly unknown[] {
  if (typeof part !== 'object' || part === null) return [];
  const reference: unknown = Reflect.get(part, '$ref');
  if (typeof reference === 'string') return instantsIn(document, memberOf(document, ...reference.split('/').slice(1)));
  if (Reflect.get(part, 'format') === 'date-time') return [part];
  return Object.entries(part)
    .filter(([name]) => name !== 'examples')
    .flatMap(([, value]) => instantsIn(document, value));
}
