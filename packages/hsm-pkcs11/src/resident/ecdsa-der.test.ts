import { generateKeyPairSync, getCurves, sign, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ecdsaDer } from './ecdsa-der.ts';

/** Of those that OpenSSL lists, it makes no keys on the Oakley curves. */
const EVERY_CURVE = getCurves().filter((name) => !name.startsWith('Oakley'));

describe('ecdsaDer', () => {
  it.each(['prime256v1', 'secp384r1', 'secp521r1'])('writes what OpenSSL reads, for %s', (namedCurve) => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve });
    const data = Buffer.from('data');
    // Among so many, some have a leading zero byte and some a leading bit.
    for (let round = 0; round < 600; round += 1) {
      const raw = sign('sha256', data, { key: privateKey, dsaEncoding: 'ieee-p1363' });
      expect(verify('sha256', data, publicKey, ecdsaDer(raw))).toBe(true);
    }
  });

  it.each(EVERY_CURVE)('writes what OpenSSL reads for %s, whatever its size', (namedCurve) => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve });
    const data = Buffer.from('data');
    for (let round = 0; round < 5; round += 1) {
      const raw = sign('sha256', data, { key: privateKey, dsaEncoding: 'ieee-p1363' });
      expect(verify('sha256', data, publicKey, ecdsaDer(raw))).toBe(true);
    }
  });

  it('writes numbers in their shortest form, never negative', () => {
    const raw = Buffer.from(`${'00'.repeat(31)}80${'00'.repeat(30)}017f`, 'hex');
    expect(ecdsaDer(raw).toString('hex')).toBe('3008020200800202017f');
  });
});
