import { createECDH, generateKeyPairSync, getCurves } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { quirksOf } from '../protocol/quirks.ts';
import { derLength } from './der-length.ts';
import { pointIn } from './ec-point.ts';

const tolerant = quirksOf(null);
const strict = quirksOf({ manufacturer: 'SoftHSM project', model: 'SoftHSM v2' });
/** Of those that OpenSSL lists, it makes no keys on the Oakley curves. */
const EVERY_CURVE = getCurves().filter((name) => !name.startsWith('Oakley'));

describe('a point of a token', () => {
  it.each(EVERY_CURVE)('on %s is read whatever its size, with a length as OpenSSL writes it', (namedCurve) => {
    const spki = generateKeyPairSync('ec', { namedCurve }).publicKey.export({ format: 'der', type: 'spki' });
    const size = createECDH(namedCurve).generateKeys().length;
    const point = spki.subarray(-size);
    // A public key ends with the BIT STRING of its point, behind the number of unused bits.
    const bitString = Buffer.concat([Buffer.of(3), derLength(size + 1), Buffer.of(0), point]);
    expect(spki.subarray(-bitString.length)).toEqual(bitString);
    const wrapped = Buffer.concat([Buffer.of(4), derLength(size), point]);
    expect(pointIn(wrapped, size, strict)).toEqual(point);
    expect(pointIn(point, size, tolerant)).toEqual(point);
    expect(pointIn(point, size, strict)).toBeUndefined();
    expect(pointIn(wrapped.subarray(0, -1), size, tolerant)).toBeUndefined();
  });
});
