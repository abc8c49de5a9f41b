import { createSecretKey, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeContext, NO_CONTEXT } from '../src/envelope/associated-data.ts';
import { HEADER_BYTES, makeHeader } from '../src/envelope/header.ts';
import { Xaes256Gcm, xaesEngine } from '../src/engines/xaes-256-gcm.ts';
import { KmsError } from '../src/errors/kms-error.ts';
import { newId } from '../src/model/identifiers.ts';
import { flipBit } from './crypto-samples.ts';

const key = createSecretKey(randomBytes(32));
const engine = xaesEngine(key);
const header = makeHeader(1, newId(), 7);
const context = fc.oneof(
  fc.constant(NO_CONTEXT),
  fc.dictionary(fc.string({ maxLength: 5 }), fc.string({ maxLength: 5 }), { maxKeys: 3 }).map(encodeContext),
);
const message = fc.record({ plaintext: fc.uint8Array({ maxLength: 100 }), context });
const messages = fc.oneof(
  fc.array(message, { maxLength: 6 }),
  fc.array(message, { minLength: 90, maxLength: 110 }),
  fc.array(message, { minLength: 1000, maxLength: 1000 }),
);

const codeOf = (opened: Uint8Array | KmsError | undefined) => (KmsError.is(opened) ? opened.code : 'opened');

describe('messages that are sealed together', () => {
  test('are the bytes that each is when it is sealed alone', () => {
    fc.assert(
      fc.property(messages, (all) => {
        const nonces = all.map(() => randomBytes(24));
        const counted = () => {
          let next = 0;
          return new Xaes256Gcm(key, (target, at) => target.set(nonces[next++] ?? [], at));
        };
        const alone = counted();
        const inputs = all.map(({ plaintext, context: aad }) => ({ plaintext, aad: [header, aad] }));
        expect(counted().sealAll(header, inputs)).toEqual(
          inputs.map(({ plaintext, aad }) => alone.seal(header, aad, plaintext)),
        );
      }),
      { numRuns: 20 },
    );
  });

  test('are opened alone, in their order and each under its own context', () => {
    fc.assert(
      fc.property(messages, (all) => {
        const sealed = engine.sealAll(header, all);
        expect(sealed).toHaveLength(all.length);
        for (const [index, { plaintext, context: aad }] of all.entries()) {
          const opened = engine.open(sealed[index] ?? Buffer.alloc(0), aad);
          expect(Buffer.compare(opened as Buffer, plaintext)).toBe(0);
        }
      }),
      { numRuns: 20 },
    );
  });

  test('never share a nonce', () => {
    const sealed = engine.sealAll(
      header,
      Array.from({ length: 1000 }, () => ({ plaintext: Buffer.alloc(0), context: NO_CONTEXT })),
    );
    expect(
      new Set(sealed.map((one) => Buffer.from(one.subarray(HEADER_BYTES, HEADER_BYTES + 24)).toString('hex'))).size,
    ).toBe(1000);
  });
});

describe('messages that are opened together', () => {
  test('are opened as each is alone, and one that cannot be fails alone, wherever it is', () => {
    fc.assert(
      fc.property(messages, fc.array(fc.nat(5), { minLength: 1, maxLength: 20 }), (all, damages) => {
        const damage = all.map((_, index) => damages[index % damages.length]);
        const sealed = all.map(({ plaintext, context: aad }, index) => {
          const ciphertext = Buffer.from(engine.seal(header, aad, plaintext) as Buffer);
          switch (damage[index]) {
            case 0:
              return { ciphertext: flipBit(ciphertext, ciphertext.length * 8 - 1), context: aad };
            case 1:
              return { ciphertext: ciphertext.subarray(0, index % (HEADER_BYTES + 40)), context: aad };
            case 2:
              return { ciphertext, context: encodeContext({ another: 'context' }) };
            default:
              return { ciphertext, context: aad };
          }
        });
        const opened = engine.openAll(sealed);
        expect(opened.map(codeOf)).toEqual(damage.map((kind) => ((kind ?? 0) < 3 ? 'DECRYPT_FAILED' : 'opened')));
        for (const [index, one] of opened.entries())
          if (!KmsError.is(one)) expect(Buffer.compare(one, all[index]?.plaintext ?? Buffer.alloc(0))).toBe(0);
      }),
      { numRuns: 20 },
    );
  });

  test('may be of different keys and versions by their headers, which are authenticated', () => {
    const headers = [header, makeHeader(1, newId(), 7), makeHeader(1, newId(), 8)];
    const sealed = headers.map((one) => ({
      ciphertext: engine.seal(one, NO_CONTEXT, Buffer.from('x')) as Uint8Array,
      context: NO_CONTEXT,
    }));
    expect(engine.openAll(sealed).map(codeOf)).toEqual(['opened', 'opened', 'opened']);
    const exchanged = sealed.map(({ ciphertext }, index) => ({
      ciphertext: Buffer.concat([headers[(index + 1) % 3] ?? header, ciphertext.subarray(HEADER_BYTES)]),
      context: NO_CONTEXT,
    }));
    expect(engine.openAll(exchanged).map(codeOf)).toEqual(['DECRYPT_FAILED', 'DECRYPT_FAILED', 'DECRYPT_FAILED']);
  });
});
