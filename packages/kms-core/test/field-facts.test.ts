import { expect, test } from 'vitest';
import { fieldFacts, sha256 } from '../src/evidence/field-facts.ts';
import { changedFacts, keyFacts } from '../src/evidence/key-facts.ts';
import type { KnownField } from '../src/model/record-fields.ts';
import { sampleKey, sampleVersion } from '../src/testing/store-samples.ts';

test('the value of an optional field is a fact only where the field says so and the value can be one', () => {
  const known: readonly KnownField[] = [
    { tag: 'rate', evidence: 'value' },
    { tag: 'addresses', evidence: 'value' },
    { tag: 'limits', evidence: 'value' },
    { tag: 'description', evidence: 'sha256' },
  ];
  const fields = {
    rate: 5,
    addresses: ['::1'],
    limits: { a: 1 },
    description: 'free text',
    unknown: 'of a newer release',
  };
  expect(fieldFacts(fields, known)).toEqual({
    'field:rate': 5,
    'field:addresses': ['::1'],
    'field:limits': sha256({ a: 1 }),
    'field:description': sha256('free text'),
    'field:unknown': sha256('of a newer release'),
  });
});

test('evidence of a change names the optional fields that came, changed and went, of the key and of each version', () => {
  const key = sampleKey('018f0000-0000-7000-8000-000000000001', {
    fields: { kept: 1, went: 1, changed: 1 },
    versions: [sampleVersion(1, { fields: { validTo: 1 } })],
  });
  const after = {
    ...key,
    fields: { kept: 1, changed: 2, came: 1 },
    versions: [sampleVersion(1, { fields: { validTo: 2 } })],
  };
  expect(changedFacts(keyFacts(key), keyFacts(after))).toEqual({
    before: { 'field:changed': sha256(1), 'field:came': null, 'field:went': sha256(1), 'field:1:validTo': sha256(1) },
    after: { 'field:changed': sha256(2), 'field:came': sha256(1), 'field:went': null, 'field:1:validTo': sha256(2) },
  });
});
