import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createFieldCipher, type FieldCipher } from '../src/fields/index.ts';
import { createKmsClient, type KmsClient } from '../src/index.ts';
import { failureOf } from './failure-of.ts';
import { type StartedService, startedService } from './started-service.ts';

let service: StartedService;
let kms: KmsClient;
let keyId: string;
let indexKeyId: string;

beforeAll(async () => {
  service = await startedService();
  kms = createKmsClient({ baseUrl: service.baseUrl, token: service.token });
  ({ keyId } = await kms.createKey({}));
  ({ keyId: indexKeyId } = await kms.createKey({ algorithm: 'HMAC-SHA256' }));
});
afterAll(() => service.end());

function column(name: string, more: object = {}): FieldCipher {
  const index = { keyId: indexKeyId, keyVersion: 1, ...more };
  return createFieldCipher(kms, { keyId, context: { table: 'customer', column: name }, index });
}

const equal = (a: Uint8Array | undefined, b: Uint8Array | undefined) =>
  Buffer.compare(a ?? randomBytes(1), b ?? randomBytes(1)) === 0;

describe('a field', () => {
  test('opens as what was sealed, text and bytes, one and many', async () => {
    const values = fc.array(fc.oneof(fc.string({ unit: 'grapheme' }), fc.uint8Array({ maxLength: 300 })), {
      maxLength: 40,
    });
    await fc.assert(
      fc.asyncProperty(values, async (all) => {
        const cipher = column('email');
        const fields = all.map((value, at) => ({ value, row: String(at) }));
        const sealed = (await cipher.sealMany(fields)).map((result) => (result.ok ? result.value : randomBytes(1)));
        const opened = await cipher.openMany(sealed.map((bytes, at) => ({ sealed: bytes, row: String(at) })));
        for (const [at, result] of opened.entries())
          expect(result.ok && Buffer.from(result.value)).toEqual(Buffer.from(all[at] ?? 'absent'));
      }),
      { numRuns: 20 },
    );
    const cipher = column('email');
    expect(await cipher.openText({ sealed: await cipher.seal({ value: '\uFEFFada' }) })).toBe('\uFEFFada');
    const sealed = await cipher.seal({ value: new Uint8Array([0xff]) });
    expect((await failureOf(cipher.openText({ sealed }))).code).toBe('ENVELOPE_INVALID');
  });

  test('opens in its own row and column only', async () => {
    const sealed = await column('email').seal({ value: 'ada@example.com', row: '1' });
    const elsewhere = [
      column('email').open({ sealed, row: '2' }),
      column('email').open({ sealed }),
      column('phone').open({ sealed, row: '1' }),
    ];
    const codes = (await Promise.all(elsewhere.map(failureOf))).map(({ code }) => code);
    expect(codes).toEqual(['DECRYPT_FAILED', 'DECRYPT_FAILED', 'DECRYPT_FAILED']);
  });

  test('that cannot be opened is an error in its place, and the others open', async () => {
    const cipher = column('email');
    const good = await cipher.seal({ value: 'a' });
    const foreign = (await kms.encrypt({ keyId: (await kms.createKey({})).keyId, plaintext: randomBytes(3) }))
      .ciphertext;
    const changed = good.map((byte, at) => (at === good.length - 1 ? byte ^ 1 : byte));
    const results = await cipher.openMany(
      [good, new Uint8Array(5), foreign, changed, good].map((sealed) => ({ sealed })),
    );
    expect(results.map((result) => (result.ok ? 'opened' : result.error.code))).toEqual([
      'opened',
      'ENVELOPE_INVALID',
      'ENVELOPE_KEY_MISMATCH',
      'DECRYPT_FAILED',
      'opened',
    ]);
  });
});

describe('a blind index', () => {
  test('is the same for equal values of a column, and differs otherwise', async () => {
    const [once, again, other, elsewhere] = await Promise.all([
      column('email').blindIndex('ada@example.com'),
      column('email').blindIndex(new TextEncoder().encode('ada@example.com')),
      column('email').blindIndex('eva@example.com'),
      column('phone').blindIndex('ada@example.com'),
    ]);
    expect(once).toHaveLength(32);
    expect([equal(once, again), equal(once, other), equal(once, elsewhere)]).toEqual([true, false, false]);
    expect(Buffer.from(await column('email', { bytes: 8 }).blindIndex('ada@example.com'))).toEqual(
      Buffer.from(once ?? []).subarray(0, 8),
    );
  });

  test('stays the same after its key was rotated, and a new one can be made under the new version', async () => {
    const before = await column('email').blindIndex('ada');
    await kms.rotateKey({ keyId: indexKeyId });
    expect(equal(await column('email').blindIndex('ada'), before)).toBe(true);
    expect(equal(await column('email', { keyVersion: 2 }).blindIndex('ada'), before)).toBe(false);
    expect((await failureOf(column('email', { keyVersion: 3 }).blindIndex('ada'))).code).toBe('BAD_REQUEST');
  });
});

test('a field that is stale is sealed again, and no other', async () => {
  const cipher = column('email');
  const [old, row] = [await cipher.seal({ value: 'old', row: '1' }), '1'];
  await kms.rotateKey({ keyId });
  const fresh = await cipher.seal({ value: 'fresh', row: '2' });
  const results = await cipher.reseal([
    { sealed: old, row },
    { sealed: fresh, row: '2' },
    { sealed: old, row: 'of another' },
    { sealed: new Uint8Array(30) },
  ]);
  expect(results.map((result) => (result.ok ? result.value.changed : result.error.code))).toEqual([
    true,
    false,
    'DECRYPT_FAILED',
    'ENVELOPE_INVALID',
  ]);
  const resealed = results[0]?.ok === true ? results[0].value.sealed : randomBytes(1);
  expect(await cipher.openText({ sealed: resealed, row })).toBe('old');
  const { keyId: successor } = await kms.createKey({});
  const moved = createFieldCipher(kms, {
    keyId: successor,
    formerKeyIds: [keyId],
    context: { table: 'customer', column: 'email' },
  });
  expect(await moved.openText({ sealed: fresh, row: '2' })).toBe('fresh');
  const [answer] = await moved.reseal([{ sealed: fresh, row: '2' }]);
  const taken = answer?.ok === true ? answer.value.sealed : randomBytes(1);
  expect(await moved.openText({ sealed: taken, row: '2' })).toBe('fresh');
  expect((await failureOf(cipher.open({ sealed: taken, row: '2' }))).code).toBe('ENVELOPE_KEY_MISMATCH');
});

test.each([
  ['an unknown option', { contxt: {} }],
  ['no column', { context: {} }],
  ['a context that names rows', { context: { row: '1' } }],
  ['a key that is no id', { keyId: 'orders' }],
  ['a former key that is no id', { formerKeyIds: ['orders'] }],
  ['an index without a version', { index: { keyId: '' } }],
  ['an index of version 0', { index: { keyId: crypto.randomUUID(), keyVersion: 0 } }],
  ['an index of 3 bytes', { index: { keyId: crypto.randomUUID(), keyVersion: 1, bytes: 3 } }],
  ['an index of 33 bytes', { index: { keyId: crypto.randomUUID(), keyVersion: 1, bytes: 33 } }],
])('%s is refused', async (_, wrong: object) => {
  const make = async () => createFieldCipher(kms, { keyId, context: { column: 'a' }, ...wrong });
  expect((await failureOf(make())).code).toBe('INVALID_ARGUMENT');
});

test('what is no value is refused, and so is a search without an index', async () => {
  const cipher = createFieldCipher(kms, { keyId, context: { column: 'a' } });
  expect((await failureOf(cipher.seal({ value: '\uD800' }))).code).toBe('INVALID_ARGUMENT');
  expect((await failureOf(cipher.blindIndex('a'))).code).toBe('INVALID_ARGUMENT');
});
