import { KmsError } from '@qnsp/kms-core';
import { describe, expect, it } from 'vitest';
import { EXAMPLE } from '../src/answers/examples.ts';
import {
  ALL_ROUTES,
  isBatch,
  LIMITS,
  nameAsSent,
  parseBatch,
  parseRequest,
  type Route,
  ROUTES,
  SYNONYMS,
} from '../src/index.ts';
import { FIELD_ALIASES } from '../src/route/field-aliases.ts';

type Names = Readonly<Record<string, string>>;

/** Every field that a route has other names for, with all names of the style that the name is of. */
const ALIASES = ALL_ROUTES.flatMap((route) => {
  const aliases = Object.values((route.crypto && FIELD_ALIASES[route.crypto.operation]) ?? {});
  const tables: readonly Names[] = [
    ...aliases.map(({ request }) => request),
    (route.crypto ? SYNONYMS[route.crypto.operation] : route.synonyms) ?? {},
  ];
  return tables.flatMap((names) =>
    Object.entries(names).map(([canonical, name]) => [route.operationId, name, canonical, names, route] as const),
  );
});

const WRONG = [5, true, [], {}, 'a\nb', 'x'.repeat(2 * LIMITS.messageBytes)];

function failureOf(route: Route, body: Record<string, unknown>): KmsError {
  try {
    parseRequest(route, { params: { keyId: EXAMPLE.keyId }, body });
  } catch (error) {
    if (KmsError.is(error)) return error;
    throw error;
  }
  throw new Error('the request was accepted');
}

/** The body of the route's example under other names. */
function renamed(route: Route, names: Names): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(route.example.body ?? {}).map(([name, value]) => [names[name] ?? name, value]),
  );
}

function placesOf({ details = {} }: KmsError): readonly unknown[] {
  const issues = details['issues'] as readonly { readonly path: string }[] | undefined;
  return issues?.map(({ path }) => path) ?? [details['path']];
}

describe('an error about a field', () => {
  it('can be about any of the other names', () => {
    expect(ALIASES.length).toBeGreaterThan(15);
  });

  it.each(ALIASES)('%s: names %s as it was sent, not %s', (_id, name, canonical, names, route) => {
    for (const value of WRONG) {
      const failure = failureOf(route, { ...renamed(route, names), [name]: value });
      expect(['BAD_REQUEST', 'PAYLOAD_TOO_LARGE']).toContain(failure.code);
      expect(new Set(placesOf(failure))).toEqual(new Set([name]));
      if (failure.code === 'BAD_REQUEST') expect(failure.message.startsWith(`${name}: `)).toBe(true);
      expect(failure.message).not.toContain(canonical === 'dataKey' ? 'dataKey' : `${canonical}:`);
    }
  });

  it('is about the alias of the style in use where the field is missing', () => {
    expect(placesOf(failureOf(ROUTES.verify, { dataB64: 'aGk=' }))).toEqual(['signatureB64']);
    expect(placesOf(failureOf(ROUTES.verify, { message: 'aGk=' }))).toEqual(['signature']);
    expect(placesOf(failureOf(ROUTES.verify, {}))).toEqual(['data', 'signature']);
  });

  it('is about the canonical name where that was sent beside those of a style', () => {
    expect(placesOf(failureOf(ROUTES.verify, { dataB64: 'aGk=', signature: 5 }))).toEqual(['signature']);
  });

  it('is about the canonical name in a canonical request', () => {
    expect(placesOf(failureOf(ROUTES.wrap, { dataKey: '' }))).toEqual(['dataKey']);
    expect(placesOf(failureOf(ROUTES.createKey, { name: 5 }))).toEqual(['name']);
  });

  it('names the second of two names of one field', () => {
    expect(placesOf(failureOf(ROUTES.wrap, { plaintextB64: 'aGk=', dataKey: 'aGk=' }))).toEqual(['dataKey']);
    expect(placesOf(failureOf(ROUTES.createKey, { name: 'a', label: 'b' }))).toEqual(['label']);
  });

  it('of an item of a batch is named the same way', () => {
    const body = { items: [{ plaintextB64: '' }, { plaintextBase64: 5 }, { dataKey: '' }] };
    expect(isBatch(ROUTES.wrap, body)).toBe(true);
    const items = parseBatch(ROUTES.wrap, { params: { keyId: EXAMPLE.keyId }, body });
    expect(items.map((item) => ('error' in item ? placesOf(item.error) : []))).toEqual([
      ['plaintextB64'],
      ['plaintextBase64'],
      ['dataKey'],
    ]);
  });
});

describe('an error of an operation', () => {
  it('gets the name that was sent in path, issues and message, and keeps the rest', () => {
    const cause = new Error('below');
    const error = new KmsError('BAD_REQUEST', 'data: is wrong', {
      details: {
        issues: [
          { path: 'data', reason: 'is wrong' },
          { path: 'data.a[0]', reason: 'too' },
        ],
        limit: 5,
      },
      retryAfterSeconds: 3,
      cause,
    });
    expect(nameAsSent(error, { data: 'dataB64' })).toMatchObject({
      code: 'BAD_REQUEST',
      message: 'dataB64: is wrong',
      details: {
        issues: [
          { path: 'dataB64', reason: 'is wrong' },
          { path: 'dataB64.a[0]', reason: 'too' },
        ],
        limit: 5,
      },
      retryAfterSeconds: 3,
      cause,
    });
    const large = new KmsError('PAYLOAD_TOO_LARGE', 'The data is large.', { details: { path: 'data' } });
    expect(nameAsSent(large, { data: 'dataB64' })).toMatchObject({
      message: 'The data is large.',
      details: { path: 'dataB64' },
    });
  });

  it('is left alone where it is about no such field, or no error of the service', () => {
    const other = new KmsError('DECRYPT_FAILED', 'No.');
    expect(nameAsSent(other, { data: 'dataB64' })).toBe(other);
    const foreign = new Error('data: is wrong');
    expect(nameAsSent(foreign, { data: 'dataB64' })).toBe(foreign);
    expect(
      nameAsSent(
        new KmsError('BAD_REQUEST', 'constructor: no', {
          details: { issues: [{ path: 'constructor', reason: 'no' }] },
        }),
        {},
      ),
    ).toMatchObject({ message: 'constructor: no' });
  });
});
