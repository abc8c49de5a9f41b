import { createECDH, createPublicKey, generateKeyPairSync, getCurves, type KeyObject } from 'node:crypto';
import { ed25519, x25519 } from '@noble/curves/ed25519.js';
import { p256 } from '@noble/curves/nist.js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CURVE_ENCODINGS, EC_OID } from '../../src/algorithms/key-encodings.ts';
import { ALGORITHMS } from '../../src/algorithms/registry.ts';
import { algorithmById } from '../../src/algorithms/resolve.ts';
import { acceptImported } from '../../src/engines/imported-material.ts';
import { KmsError } from '../../src/errors/kms-error.ts';
import { contextTag, DerReader, TAG } from '../../src/key-material/der-reader.ts';
import { derElement, derIdentifier, derInteger, derSequence } from '../../src/key-material/der-writer.ts';
import { failure, freshKey } from '../crypto-samples.ts';
import { apply, edits } from './mutations.ts';
import { OTHER_CURVES } from './other-curves.ts';

test('the orders of the curves are those of another implementation', () => {
  for (const { namedCurve, order, bytes } of CURVE_ENCODINGS) {
    expect(BigInt(`0x${order}`)).toBe(OTHER_CURVES[namedCurve].Point.Fn.ORDER);
    expect(order.length).toBe(2 * bytes);
  }
});

/** Of those that OpenSSL lists, it makes no keys on the Oakley curves. */
const EVERY_CURVE = getCurves().filter((name) => !name.startsWith('Oakley'));

test.each(EVERY_CURVE)(
  'the containers of %s are written and read as OpenSSL writes them, whatever their size',
  (namedCurve) => {
    const spki = generateKeyPairSync('ec', { namedCurve }).publicKey.export({ format: 'der', type: 'spki' });
    const { start } = lengthAt(spki, 1);
    const parameters = lengthAt(spki, start + 1);
    const end = parameters.start + parameters.length;
    const point = spki.subarray(-createECDH(namedCurve).generateKeys().length);
    const written = derSequence(
      derSequence(spki.subarray(parameters.start, end)),
      derElement(TAG.bitString, Buffer.of(0), point),
    );
    expect(written).toEqual(spki);
    const key = new DerReader(spki, 'the key').inside(TAG.sequence, 'key');
    expect(key.content(TAG.sequence, 'identifier')).toEqual(spki.subarray(parameters.start, end));
    expect(key.bits(TAG.bitString, 'point')).toEqual(point);
    key.end();
  },
);

const CASES = ALGORITHMS.flatMap((algorithm) =>
  algorithm.form.kind === 'ec' ? [[algorithm.id, algorithm.form.namedCurve, algorithm] as const] : [],
);

describe.each(CASES)('an elliptic curve key of %s', (_id, namedCurve, algorithm) => {
  const { oid, bytes } = CURVE_ENCODINGS.find((curve) => curve.namedCurve === namedCurve) ?? { oid: '', bytes: 0 };
  const n = OTHER_CURVES[namedCurve].Point.Fn.ORDER;
  const identifier = derSequence(derIdentifier(EC_OID), derIdentifier(oid));
  const octetsOf = (scalar: bigint, length = bytes) =>
    Buffer.from(scalar.toString(16).padStart(2 * length, '0'), 'hex');
  const container = (scalar: Buffer, ...more: Buffer[]) =>
    derSequence(derInteger(0n), identifier, derElement(4, derSequence(derInteger(1n), derElement(4, scalar), ...more)));
  const half = (point: Uint8Array, unused = 0) =>
    derElement(contextTag(1, 'constructed'), derElement(3, Buffer.of(unused), point));
  const pointOf = (scalar: bigint, isCompressed = false) =>
    OTHER_CURVES[namedCurve].getPublicKey(octetsOf(scalar), isCompressed);

  test('has a scalar from 1 to n − 1 in the length of the field', async () => {
    for (const scalar of [1n, 2n, 7n, n - 1n]) {
      const { publicKey } = await acceptImported(algorithm, container(octetsOf(scalar)));
      expect(Buffer.from(publicKey ?? []).subarray(-2 * bytes - 1)).toEqual(Buffer.from(pointOf(scalar)));
    }
    const largest = (1n << BigInt(8 * bytes)) - 1n;
    for (const scalar of [0n, n, n + 1n, largest])
      await expect(acceptImported(algorithm, container(octetsOf(scalar)))).rejects.toThrow(/between 1 and n − 1/);
    for (const scalar of [
      Buffer.alloc(0),
      octetsOf(7n, 1),
      octetsOf(7n, bytes - 1),
      octetsOf(7n, bytes + 1),
      octetsOf(n, bytes + 1),
    ])
      await expect(acceptImported(algorithm, container(scalar))).rejects.toThrow(/octets of the field/);
  });

  test('has the public half of its scalar beside it, or none', async () => {
    for (const point of [pointOf(7n), pointOf(7n, true)])
      await acceptImported(algorithm, container(octetsOf(7n), half(point)));
    const hybrid = Buffer.from(pointOf(7n));
    hybrid[0] = 6 + ((hybrid.at(-1) ?? 0) & 1);
    const wrongs: readonly (readonly [Buffer, RegExp])[] = [
      [half(pointOf(8n)), /not that of the private key/],
      [half(pointOf(8n, true)), /not that of the private key/],
      [half(pointOf(n - 7n)), /not that of the private key/],
      [half(pointOf(n - 7n, true)), /not that of the private key/],
      [half(hybrid), /neither uncompressed nor compressed/],
      [half(Buffer.of(0)), /infinity/],
      [half(Buffer.alloc(0)), /infinity/],
      [half(Buffer.concat([pointOf(7n), Buffer.of(0)])), /neither uncompressed nor compressed/],
      [half(pointOf(7n), 1), /unused bits/],
    ];
    for (const [point, rule] of wrongs) {
      const call = acceptImported(algorithm, container(octetsOf(7n), point));
      await expect(call).rejects.toThrow(failure('BAD_REQUEST'));
      await expect(call).rejects.toThrow(rule);
    }
  });

  test('names its curve once or twice, never by parameters', async () => {
    const parameters = (content: Buffer) => derElement(contextTag(0, 'constructed'), content);
    await acceptImported(algorithm, container(octetsOf(7n), parameters(derIdentifier(oid))));
    const other = CURVE_ENCODINGS.find((curve) => curve.namedCurve !== namedCurve)?.oid ?? '';
    await expect(acceptImported(algorithm, container(octetsOf(7n), parameters(derIdentifier(other))))).rejects.toThrow(
      /a different curve/,
    );
    const explicit = explicitParameters(namedCurve);
    await expect(acceptImported(algorithm, container(octetsOf(7n), parameters(explicit)))).rejects.toThrow(/explicit/);
    const key = derElement(4, derSequence(derInteger(1n), derElement(4, octetsOf(7n))));
    const longOid = Buffer.concat([Buffer.from('068107', 'hex'), Buffer.from(EC_OID, 'hex')]);
    const disguises: readonly Buffer[] = [
      derSequence(derInteger(0n), derSequence(longOid, explicit), key),
      derSequence(derInteger(0n), derSequence(longOid, derIdentifier(oid)), key),
      derSequence(derInteger(0n), derSequence(derIdentifier(EC_OID), explicit), key),
      Buffer.concat([derSequence(derInteger(0n), derSequence(derIdentifier(EC_OID), explicit), key), identifier]),
    ];
    for (const disguise of disguises)
      await expect(acceptImported(algorithm, disguise)).rejects.toThrow(failure('BAD_REQUEST'));
  });
});

function explicitParameters(namedCurve: string): Buffer {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve, paramEncoding: 'explicit' });
  const spki = publicKey.export({ format: 'der', type: 'spki' });
  const identifierAt = spki.indexOf(derIdentifier(EC_OID));
  const parametersAt = identifierAt + derIdentifier(EC_OID).length;
  const { length, start } = lengthAt(spki, parametersAt + 1);
  return spki.subarray(parametersAt, start + length);
}

function lengthAt(der: Buffer, at: number): { readonly length: number; readonly start: number } {
  const first = der[at] ?? 0;
  const octets = first < 0x80 ? 0 : first & 0x7f;
  return { length: octets === 0 ? first : der.readUIntBE(at + 1, octets), start: at + 1 + octets };
}

describe('a version 2 key of RFC 8410', () => {
  test.each([
    ['ed25519', '2b6570', ed25519],
    ['x25519', '2b656e', x25519],
  ] as const)('%s has its own public half', async (id, oid, noble) => {
    const secret = Buffer.alloc(32, 7);
    const version2 = (point: Uint8Array) =>
      derSequence(
        derInteger(1n),
        derSequence(derIdentifier(oid)),
        derElement(4, derElement(4, secret)),
        derElement(contextTag(1, 'primitive'), Buffer.of(0), point),
      );
    const own = noble.getPublicKey(secret);
    const { publicKey } = await acceptImported(algorithmById(id), version2(own));
    expect(Buffer.from(publicKey ?? []).subarray(-32)).toEqual(Buffer.from(own));
    const foreign = noble.getPublicKey(Buffer.alloc(32, 8));
    await expect(acceptImported(algorithmById(id), version2(foreign))).rejects.toThrow(/public half/);
  });
});

describe('the peer of a key agreement', () => {
  const spkiOf = (id: string) =>
    id === 'x25519' ? generateKeyPairSync('x25519') : generateKeyPairSync('ec', { namedCurve: 'prime256v1' });

  test.each(['x25519', 'ecdh-p256'])(
    '%s: 2,000 changed containers are refused with 400, or agree as the key in them does',
    async (id) => {
      const { engine, material } = await freshKey(algorithmById(id));
      const base = spkiOf(id).publicKey.export({ format: 'der', type: 'spki' });
      const keys = [base, ...(id === 'x25519' ? [] : [compressed(base)])];
      let refused = 0;
      const property = fc.property(fc.constantFrom(...keys), edits(32, 30), (spki, changes) => {
        const changed = apply(spki, changes);
        try {
          const secret = engine.agree(changed);
          expect(Buffer.from(secret as Uint8Array)).toEqual(independentSecret(id, material.key, changed));
        } catch (error) {
          if (!KmsError.is(error)) throw error;
          expect(error).toMatchObject({ code: 'BAD_REQUEST', details: { issues: [{ path: 'peerPublicKey' }] } });
          refused += 1;
        }
      });
      fc.assert(property, { numRuns: 2000, seed: 20_261 });
      expect(refused).toBeGreaterThan(1000);
      for (const spki of keys)
        expect(Buffer.from(await engine.agree(spki))).toEqual(independentSecret(id, material.key, spki));
    },
  );

  function independentSecret(id: string, key: KeyObject, spki: Buffer): Buffer {
    const { d = '' } = key.export({ format: 'jwk' });
    const secret = Buffer.from(d, 'base64url');
    // The fixed heads of RFC 8410 and RFC 5480 for these two: whatever else is in front was not to be taken.
    if (id === 'x25519') {
      expect(spki.subarray(0, 12).toString('hex')).toBe('302a300506032b656e032100');
      return Buffer.from(x25519.getSharedSecret(secret, spki.subarray(12)));
    }
    expect(spki.subarray(2, 23).toString('hex')).toBe('301306072a8648ce3d020106082a8648ce3d030107');
    return Buffer.from(p256.getSharedSecret(secret, spki.subarray(26), false)).subarray(1, 33);
  }

  test('a point that is not on the curve, at infinity, in the hybrid form, or with a coordinate of the field and more', async () => {
    const { engine } = await freshKey(algorithmById('ecdh-p256'));
    const identifier = derSequence(derIdentifier(EC_OID), derIdentifier('2a8648ce3d030107'));
    const spki = (point: Uint8Array, unused = 0) => derSequence(identifier, derElement(3, Buffer.of(unused), point));
    const good = Buffer.from(p256.getPublicKey(Buffer.alloc(32, 7), false));
    const off = Buffer.from(good);
    off[64] = (off[64] ?? 0) ^ 1;
    const hybrid = Buffer.from(good);
    hybrid[0] = 6 + ((good[64] ?? 0) & 1);
    // b is a square, so (0, √b) is on the curve; p stands for 0.
    const y = p256.Point.fromHex(`02${'00'.repeat(32)}`)
      .toBytes(false)
      .subarray(33);
    const beyond = Buffer.concat([Buffer.of(4), Buffer.from(p256.Point.Fp.ORDER.toString(16), 'hex'), y]);
    const wrongs: readonly (readonly [Buffer, RegExp])[] = [
      [spki(off), /not on the curve/],
      [spki(Buffer.alloc(65, 4)), /not on the curve/],
      [spki(Buffer.concat([Buffer.of(4), Buffer.alloc(64)])), /not on the curve/],
      [spki(beyond), /not on the curve/],
      [spki(Buffer.of(0)), /infinity/],
      [spki(Buffer.alloc(0)), /infinity/],
      [spki(hybrid), /neither uncompressed nor compressed/],
      [spki(good, 1), /unused bits/],
      [Buffer.concat([spki(good), Buffer.of(0)]), /bytes after it/],
    ];
    for (const [peer, rule] of wrongs) {
      await expect(async () => engine.agree(peer)).rejects.toThrow(failure('BAD_REQUEST'));
      await expect(async () => engine.agree(peer)).rejects.toThrow(rule);
    }
    await engine.agree(spki(good));
    await engine.agree(spki(Buffer.concat([Buffer.of(4), Buffer.alloc(32), y])));
  });

  test('every X25519 point of small order', async () => {
    const { engine } = await freshKey(algorithmById('x25519'));
    const p = 2n ** 255n - 19n;
    // RFC 7748, section 6.1, and https://cr.yp.to/ecdh.html, in both representations.
    const smallOrder = [
      0n,
      1n,
      325606250916557431795983626356110631294008115727848805560023387167927233504n,
      39382357235489614581723060781553021112529911719440698176882885853963445705823n,
      p - 1n,
      p,
      p + 1n,
    ];
    for (const u of smallOrder.flatMap((value) => [value, value + 2n ** 255n])) {
      const octets = Buffer.from(Buffer.from(u.toString(16).padStart(64, '0'), 'hex').toReversed());
      const peer = derSequence(derSequence(derIdentifier('2b656e')), derElement(3, Buffer.of(0), octets));
      await expect(async () => engine.agree(peer)).rejects.toThrow(/small order/);
    }
  });
});

function compressed(spki: Buffer): Buffer {
  const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
  const { x = '', y = '' } = key.export({ format: 'jwk' });
  const parity = 2 + ((Buffer.from(y, 'base64url').at(-1) ?? 0) & 1);
  const identifier = derSequence(derIdentifier(EC_OID), derIdentifier('2a8648ce3d030107'));
  return derSequence(identifier, derElement(3, Buffer.of(0, parity), Buffer.from(x, 'base64url')));
}
