import { createECDH } from 'node:crypto';
import type { CurveEncoding } from '../algorithms/key-encodings.ts';
import { contextTag, DerReader, TAG } from './der-reader.ts';
import { derElement, derInteger, derSequence } from './der-writer.ts';
import { demand, RefusedMaterial } from './refused-material.ts';

/** An elliptic curve key whose public half was computed here. */
export interface EcNumbers {
  readonly scalar: Buffer;
  /** Uncompressed. */
  readonly point: Buffer;
}

/** The curve that an ECPrivateKey in itself names, as hexadecimal; null when it leaves it to its container. */
export function curveOfEcPrivateKey(der: Uint8Array): string | null {
  return readMembers(der).namedCurve;
}

/**
 * Reads an ECPrivateKey (RFC 5915) by SP 800-56A Rev. 3, section 5.6.2.1: a scalar from 1 to n − 1 in as many octets as
 * the field has, and where the public half is written beside it, that of this scalar.
 *
 * @throws RefusedMaterial
 */
export function readEcPrivateKey(der: Uint8Array, curve: CurveEncoding): EcNumbers {
  const { scalar, namedCurve, publicKey } = readMembers(der);
  demand(namedCurve === null || namedCurve === curve.oid, 'the private key names a different curve from its container');
  demand(scalar.length === curve.bytes, `the scalar does not have the ${curve.bytes} octets of the field (RFC 5915)`);
  const inRange = scalar.some((octet) => octet !== 0) && scalar.compare(Buffer.from(curve.order, 'hex')) < 0;
  demand(inRange, 'the scalar is not between 1 and n − 1 (SP 800-56A, 5.6.2.1.2)');
  const point = pointOf(scalar, curve);
  if (publicKey !== null) demandSamePoint(publicKey, point, curve);
  return { scalar, point };
}

/** Writes an ECPrivateKey that leaves the curve to its container. */
export function writeEcPrivateKey({ scalar, point }: EcNumbers): Buffer {
  return derSequence(
    derInteger(1n),
    derElement(TAG.octetString, scalar),
    derElement(contextTag(1, 'constructed'), derElement(TAG.bitString, Buffer.of(0), point)),
  );
}

/**
 * Refuses what is no point in a form that RFC 5480, section 2.2, allows. Whether the point is on the curve is for
 * OpenSSL to say, which computes with it.
 */
export function demandPointForm(publicKey: Uint8Array, { bytes }: CurveEncoding): void {
  const [first] = publicKey;
  demand(publicKey.length > 1, 'the public key is empty or the point at infinity (SP 800-56A, 5.6.2.3.3)');
  const fits = first === 4 ? publicKey.length === 1 + 2 * bytes : publicKey.length === 1 + bytes;
  demand(
    (first === 2 || first === 3 || first === 4) && fits,
    'the point is neither uncompressed nor compressed (RFC 5480)',
  );
}

/** Compares a public half that was written down with the one that was computed. */
export function demandSamePoint(written: Uint8Array, point: Buffer, curve: CurveEncoding): void {
  demandPointForm(written, curve);
  const parity = 2 + ((point.at(-1) ?? 0) & 1);
  const same = written[0] === 4 ? point : Buffer.concat([Buffer.of(parity), point.subarray(1, 1 + curve.bytes)]);
  demand(same.equals(written), 'the public half is not that of the private key (SP 800-56A, 5.6.2.1.4)');
}

function readMembers(der: Uint8Array) {
  const outside = new DerReader(der, 'the private key');
  const key = outside.inside(TAG.sequence, 'elliptic curve private key');
  outside.end();
  demand(key.smallInteger('version of the elliptic curve key') === 1, 'the version of the elliptic curve key is not 1');
  const scalar = key.content(TAG.octetString, 'scalar');
  const namedCurve = readOptional(key, 0, (inside) =>
    inside.isNext(TAG.sequence) ? explicitParameters() : inside.identifier('named curve'),
  );
  const publicKey = readOptional(key, 1, (inside) => inside.bits(TAG.bitString, 'public half'));
  key.end();
  return { scalar, namedCurve, publicKey };
}

function readOptional<T>(key: DerReader, number: 0 | 1, read: (inside: DerReader) => T): T | null {
  const tag = contextTag(number, 'constructed');
  if (!key.isNext(tag)) return null;
  const inside = key.inside(tag, number === 0 ? 'parameters' : 'public half');
  const value = read(inside);
  inside.end();
  return value;
}

function explicitParameters(): never {
  throw new RefusedMaterial('the key must name its curve, not give explicit parameters (RFC 5480)');
}

function pointOf(scalar: Buffer, { namedCurve }: CurveEncoding): Buffer {
  const ecdh = createECDH(namedCurve);
  ecdh.setPrivateKey(scalar);
  return ecdh.getPublicKey();
}
