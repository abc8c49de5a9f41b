import type { CryptoOperation } from '@qnsp/kms-core/algorithms';
import { describe, expect, it } from 'vitest';
import { encodeAnswer, type FieldNaming, parseRequest, ROUTES, type Route } from '../src/index.ts';
import { normaliseRequest, withAliases } from '../src/route/field-aliases.ts';
import { EXAMPLE } from '../src/answers/examples.ts';

const ROUTE_OF: Partial<Record<CryptoOperation, Route>> = {
  encrypt: ROUTES.encrypt,
  decrypt: ROUTES.decrypt,
  sign: ROUTES.sign,
  verify: ROUTES.verify,
  wrap: ROUTES.wrap,
  unwrap: ROUTES.unwrap,
};

/** The table as published clients use it, spelt out here a second time on purpose. */
const TABLE: readonly [CryptoOperation, FieldNaming, object, object, object, object][] = [
  // operation, naming, request as sent, request as parsed, canonical answer, names that the answer adds
  [
    'encrypt',
    'b64-suffix',
    { plaintextB64: 'aGk=' },
    { plaintext: 'aGk=' },
    { ciphertext: 'AAAA' },
    { ciphertextB64: 'AAAA' },
  ],
  [
    'encrypt',
    'base64-suffix',
    { plaintextBase64: 'aGk=' },
    { plaintext: 'aGk=' },
    { ciphertext: 'AAAA' },
    { ciphertextBase64: 'AAAA' },
  ],
  [
    'decrypt',
    'b64-suffix',
    { ciphertextB64: 'AAAA' },
    { ciphertext: 'AAAA' },
    { plaintext: 'aGk=' },
    { plaintextB64: 'aGk=' },
  ],
  [
    'decrypt',
    'base64-suffix',
    { ciphertextBase64: 'AAAA' },
    { ciphertext: 'AAAA' },
    { plaintext: 'aGk=' },
    { plaintextBase64: 'aGk=' },
  ],
  ['sign', 'b64-suffix', { dataB64: 'aGk=' }, { data: 'aGk=' }, { signature: 'AAAA' }, { signatureB64: 'AAAA' }],
  [
    'sign',
    'base64-suffix',
    { dataBase64: 'aGk=' },
    { data: 'aGk=' },
    { signature: 'AAAA' },
    { signatureBase64: 'AAAA' },
  ],
  [
    'verify',
    'b64-suffix',
    { dataB64: 'aGk=', signatureB64: 'AAAA' },
    { data: 'aGk=', signature: 'AAAA' },
    { valid: true },
    {},
  ],
  [
    'verify',
    'base64-suffix',
    { dataBase64: 'aGk=', signatureBase64: 'AAAA' },
    { data: 'aGk=', signature: 'AAAA' },
    { valid: true },
    {},
  ],
  [
    'wrap',
    'b64-suffix',
    { plaintextB64: 'aGk=' },
    { dataKey: 'aGk=' },
    { wrappedKey: 'AAAA' },
    { ciphertextB64: 'AAAA' },
  ],
  [
    'wrap',
    'base64-suffix',
    { plaintextBase64: 'aGk=' },
    { dataKey: 'aGk=' },
    { wrappedKey: 'AAAA' },
    { wrappedBase64: 'AAAA' },
  ],
  [
    'unwrap',
    'b64-suffix',
    { ciphertextB64: 'AAAA' },
    { wrappedKey: 'AAAA' },
    { dataKey: 'aGk=' },
    { plaintextB64: 'aGk=' },
  ],
  [
    'unwrap',
    'base64-suffix',
    { wrappedBase64: 'AAAA' },
    { wrappedKey: 'AAAA' },
    { dataKey: 'aGk=' },
    { plaintextBase64: 'aGk=' },
  ],
];

describe('field names of published clients', () => {
  it.each(TABLE)('%s with names of %s is read', (operation, naming, sent, canonical) => {
    const fields = Object.keys(canonical).map((name, index) => [name, Object.keys(sent)[index]]);
    expect(normaliseRequest(operation, { ...sent, keyId: EXAMPLE.keyId })).toEqual({
      body: { ...canonical, keyId: EXAMPLE.keyId },
      naming,
      sentNames: Object.fromEntries(fields),
    });
  });

  it.each(TABLE)(
    '%s with names of %s is answered in both names',
    (operation, naming, _sent, _canonical, answer, added) => {
      expect(withAliases(operation, naming, { ...answer, keyId: EXAMPLE.keyId })).toEqual({
        ...answer,
        ...added,
        keyId: EXAMPLE.keyId,
      });
    },
  );

  it.each(TABLE)(
    '%s with names of %s goes through the route both ways',
    (operation, naming, sent, canonical, answer, added) => {
      const route = ROUTE_OF[operation];
      if (route === undefined) throw new Error(`no route for ${operation}`);
      const parsed = parseRequest(route, { params: { keyId: EXAMPLE.keyId }, body: sent });
      expect(parsed.naming).toBe(naming);
      for (const [field, base64] of Object.entries(canonical)) {
        expect(Buffer.from((parsed.body as Record<string, Uint8Array>)[field] ?? []).toString('base64')).toBe(base64);
      }
      const bytesOf = (value: unknown) => (typeof value === 'string' ? Buffer.from(value, 'base64') : value);
      const answered = Object.fromEntries(Object.entries(answer).map(([field, value]) => [field, bytesOf(value)]));
      const full = { ...answered, keyId: EXAMPLE.keyId, keyVersion: 1, algorithm: 'aes-256-gcm', provider: 'software' };
      expect(encodeAnswer(route, full, parsed.naming)).toMatchObject({ ...answer, ...added });
      for (const name of Object.keys(added)) expect(encodeAnswer(route, full)).not.toHaveProperty(name);
    },
  );

  it('hands a canonical body and answer on without a copy', () => {
    const body = { plaintext: 'aGk=', context: { a: 'b' } };
    expect(normaliseRequest('encrypt', body).body).toBe(body);
    const answer = { ciphertext: 'AAAA' };
    expect(withAliases('encrypt', 'canonical', answer)).toBe(answer);
  });

  it.each<[string, CryptoOperation, object]>([
    ['a field under its canonical and another name', 'encrypt', { plaintext: 'aGk=', plaintextB64: 'aGk=' }],
    ['a field under two other names', 'encrypt', { plaintextB64: 'aGk=', plaintextBase64: 'aGk=' }],
    ['a field under a synonym and another name', 'sign', { message: 'aGk=', dataB64: 'aGk=' }],
    ['two styles in two fields', 'verify', { dataB64: 'aGk=', signatureBase64: 'AAAA' }],
    ['a wrapped key under two names', 'unwrap', { wrappedKey: 'AAAA', wrappedBase64: 'AAAA' }],
    ['a destination under two names', 'reencrypt', { keyId: EXAMPLE.keyId, destinationKeyId: EXAMPLE.keyId }],
  ])('refuses %s', (_, operation, body) => {
    expect(() => normaliseRequest(operation, body as Record<string, unknown>)).toThrow(
      expect.objectContaining({ code: 'BAD_REQUEST' }),
    );
  });

  it('says how to name the fields of a request that mixes two styles', () => {
    expect(() => normaliseRequest('verify', { dataB64: 'aGk=', signatureBase64: 'AAAA' })).toThrow(
      'signatureBase64: ends differently from a field before it: end all such names in B64, or all in Base64',
    );
  });

  it('takes canonical names beside those of one style', () => {
    const { body, naming } = normaliseRequest('verify', { dataB64: 'aGk=', signature: 'AAAA' });
    expect(body).toEqual({ data: 'aGk=', signature: 'AAAA' });
    expect(naming).toBe('b64-suffix');
  });

  it('takes message for data and answers canonically', () => {
    expect(normaliseRequest('sign', { message: 'aGk=' })).toEqual({
      body: { data: 'aGk=' },
      naming: 'canonical',
      sentNames: { data: 'message' },
    });
    expect(normaliseRequest('verify', { message: 'aGk=', signature: 'AAAA' }).body).toEqual({
      data: 'aGk=',
      signature: 'AAAA',
    });
  });

  it('knows no foreign names where there are none', () => {
    expect(normaliseRequest('mac', { dataB64: 'aGk=' }).body).toEqual({ dataB64: 'aGk=' });
    expect(normaliseRequest('encrypt', { dataB64: 'aGk=' }).body).toEqual({ dataB64: 'aGk=' });
  });

  it('counts null as absent', () => {
    expect(normaliseRequest('encrypt', { plaintext: 'aGk=', context: null })).toEqual({
      body: { plaintext: 'aGk=' },
      naming: 'canonical',
      sentNames: {},
    });
    expect(normaliseRequest('encrypt', { plaintext: null, plaintextB64: 'aGk=' })).toEqual({
      body: { plaintext: 'aGk=' },
      naming: 'b64-suffix',
      sentNames: { plaintext: 'plaintextB64' },
    });
  });

  it('lets __proto__ through as the unknown field that it is', () => {
    const body = JSON.parse('{"plaintextB64":"aGk=","__proto__":{"context":{"a":"b"}}}') as Record<string, unknown>;
    const normalised = normaliseRequest('encrypt', body).body;
    expect(Object.hasOwn(normalised, '__proto__')).toBe(true);
    expect(() => parseRequest(ROUTES.encrypt, { params: { keyId: EXAMPLE.keyId }, body })).toThrow(
      expect.objectContaining({ code: 'BAD_REQUEST' }),
    );
  });
});
