import { expect, test } from 'vitest';
import { KmsError } from '../src/errors/kms-error.ts';
import { OutcomeUnknown } from '../src/errors/outcome-unknown.ts';
import { RefusedCredential } from '../src/access/refused-credential.ts';

// The suffix has the module evaluated a second time, as a second copy of the package is.
const COPY = '../src/errors/kms-error.ts?copy';
const copy = (await import(COPY)) as { readonly KmsError: typeof KmsError };

test('an error of another copy of the package is known, which instanceof does not know', () => {
  const error: unknown = new copy.KmsError('NOT_FOUND', 'gone');
  expect(copy.KmsError).not.toBe(KmsError);
  expect(error).not.toBeInstanceOf(KmsError);
  expect(KmsError.is(error)).toBe(true);
  expect(copy.KmsError.is(new KmsError('NOT_FOUND', 'gone'))).toBe(true);
});

test('what only looks like one is none', () => {
  const alike = Object.assign(new Error('gone'), { code: 'NOT_FOUND', name: 'KmsError', details: undefined });
  for (const value of [alike, new Error('x'), { code: 'NOT_FOUND' }, null, undefined, 'NOT_FOUND', 7])
    expect(KmsError.is(value)).toBe(false);
});

test('a special one is known as such and as an error of the KMS, and no other is', () => {
  const unknown = new OutcomeUnknown(Promise.resolve(true), undefined);
  const refused = new RefusedCredential({ subject: 'a', tenantId: null, credential: 'api-token' });
  expect([KmsError.is(unknown), OutcomeUnknown.is(unknown), RefusedCredential.is(unknown)]).toEqual([
    true,
    true,
    false,
  ]);
  expect([KmsError.is(refused), OutcomeUnknown.is(refused), RefusedCredential.is(refused)]).toEqual([
    true,
    false,
    true,
  ]);
  const plain = new KmsError('UNAUTHORIZED', 'no');
  expect([OutcomeUnknown.is(plain), RefusedCredential.is(plain)]).toEqual([false, false]);
});
