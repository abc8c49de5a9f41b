import { PERMISSIONS } from '@qnsp/kms-core';
import { describe, expect, it } from 'vitest';
import { policyDocument } from '../src/fields/policy-document.ts';

const KEY = '0198f2a5-0c1d-7e2f-8a3b-4c5d6e7f8091';
const statement = { effect: 'allow', actions: ['kms:encrypt'], resources: ['*'] };
const withStatement = (change: object) => ({ version: '1', statements: [{ ...statement, ...change }] });
const withConditions = (conditions: object) => withStatement({ conditions });
const accepts = (value: unknown) => policyDocument.safeParse(value).success;

describe('policy documents', () => {
  it('takes every permission as an action, and wildcards that cover one', () => {
    for (const permission of PERMISSIONS) expect(accepts(withStatement({ actions: [permission] }))).toBe(true);
    expect(accepts(withStatement({ actions: ['*', 'kms:*', 'kms:keys:*', 'kms:en*'] }))).toBe(true);
  });

  it('makes one tenant or address a list, and brings ids to lower case', () => {
    const document = policyDocument.parse(
      withStatement({
        resources: [KEY.toUpperCase()],
        conditions: { tenant: KEY.toUpperCase(), ip: '10.0.0.0/8', mfa: true },
      }),
    );
    expect(document.statements[0]?.resources).toEqual([KEY]);
    expect(document.statements[0]?.conditions).toEqual({ tenant: [KEY], ip: ['10.0.0.0/8'], mfa: true });
  });

  it('brings times to UTC', () => {
    const document = policyDocument.parse(withConditions({ time: { notBefore: '2030-01-01T00:00:00+01:00' } }));
    expect(document.statements[0]?.conditions?.time).toEqual({ notBefore: '2029-12-31T23:00:00.000Z' });
  });

  it('takes a document without statements', () => {
    expect(accepts({ version: '1', statements: [] })).toBe(true);
  });

  it.each<[string, unknown]>([
    ['another version', { version: '2', statements: [] }],
    ['a version that is a number', { version: 1, statements: [] }],
    ['no statements', { version: '1' }],
    ['an unknown field', { version: '1', statements: [], id: 'x' }],
    ['an unknown field of a statement', withStatement({ sid: 'x' })],
    ['an unknown condition', withConditions({ country: 'NL' })],
    ['another effect', withStatement({ effect: 'Allow' })],
    ['no actions', withStatement({ actions: [] })],
    ['an action that is no permission', withStatement({ actions: ['kms:encryptt'] })],
    ['a wildcard that covers nothing', withStatement({ actions: ['s3:*'] })],
    ['no resources', withStatement({ resources: [] })],
    ['a resource that is no key', withStatement({ resources: ['orders'] })],
    ['an empty list of principals', withStatement({ principals: [] })],
    ['a tenant that is no UUID', withConditions({ tenant: ['acme'] })],
    ['an address that is none', withConditions({ ip: '10.0.0.300' })],
    ['a block that is too long', withConditions({ ip: ['10.0.0.0/33'] })],
    ['a time that is none', withConditions({ time: { notAfter: 'soon' } })],
    [
      'a time that ends before it begins',
      withConditions({ time: { notBefore: '2030-01-02T00:00:00Z', notAfter: '2030-01-01T00:00:00Z' } }),
    ],
    ['mfa as text', withConditions({ mfa: 'true' })],
    ['too many statements', { version: '1', statements: Array.from({ length: 65 }, () => statement) }],
    [
      'too much of everything',
      {
        version: '1',
        statements: Array.from({ length: 64 }, () => ({
          ...statement,
          principals: ['x'.repeat(250), 'y'.repeat(250), 'z'.repeat(250)],
        })),
      },
    ],
  ])('refuses %s', (_, value) => {
    expect(accepts(value)).toBe(false);
  });
});
