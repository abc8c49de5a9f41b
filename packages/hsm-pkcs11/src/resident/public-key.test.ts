import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { ALGORITHMS } from '@qnsp/kms-core/algorithms';
import { describe, expect, it } from 'vitest';
import { type Quirks, quirksOf } from '../protocol/quirks.ts';
import { derLength } from './der-length.ts';
import { subjectPublicKeyInfo } from './public-key.ts';

const tolerant = quirksOf(null);
const strict = quirksOf({ manufacturer: 'SoftHSM project', model: 'SoftHSM v2' });
const curves = ALGORITHMS.flatMap((algorithm) =>
  algorithm.form.kind === 'ec' ? [{ id: algorithm.id, algorithm, namedCurve: algorithm.form.namedCurve }] : [],
);

/** A key of a curve, and its uncompressed point as a token has it. */
function keyOf(namedCurve: string): { readonly spki: Buffer; readonly point: Buffer } {
  const spki = generateKeyPairSync('ec', { namedCurve }).publicKey.export({ format: 'der', type: 'spki' });
  const { x = '', y = '' } = createPublicKey({ key: spki, format: 'der', type: 'spki' }).export({ format: 'jwk' });
  return { spki, point: Buffer.concat([Buffer.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]) };
}

const wrapped = (point: Buffer) => Buffer.concat([Buffer.of(4), derLength(point.length), point]);

describe('the public half of a key in a token', () => {
  it.each(curves)(
    'is read from the wrapped point of $id, and from the bare one of tokens that may give it',
    (curve) => {
      const { spki, point } = keyOf(curve.namedCurve);
      const read = (ecPoint: Buffer, quirks: Quirks) =>
        subjectPublicKeyInfo(curve.algorithm, { ecPoint, modulus: null, publicExponent: null }, quirks);
      expect(read(wrapped(point), strict).equals(spki)).toBe(true);
      expect(read(wrapped(point), tolerant).equals(spki)).toBe(true);
      expect(read(point, tolerant).equals(spki)).toBe(true);
      expect(() => read(point, strict)).toThrow(/not understood/);
      for (const wrong of [
        wrapped(point).subarray(0, -1),
        Buffer.concat([wrapped(point), Buffer.of(0)]),
        Buffer.alloc(0),
      ])
        expect(() => read(wrong, tolerant)).toThrow(/not understood/);
    },
  );

  it('has lengths in DER as OpenSSL reads them, beyond one byte too', () => {
    // OpenSSL's own form of P-521 points and signatures: 133 bytes take two length bytes.
    expect([0, 127, 128, 133, 255, 256, 65_536].map((length) => derLength(length).toString('hex'))).toEqual([
      '00',
      '7f',
      '8180',
      '8185',
      '81ff',
      '820100',
      '83010000',
    ]);
  });
});
