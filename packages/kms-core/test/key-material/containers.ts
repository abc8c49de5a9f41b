import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { ml_dsa44, ml_dsa65, ml_dsa87 } from '@noble/post-quantum/ml-dsa.js';
import { ml_kem512, ml_kem768, ml_kem1024 } from '@noble/post-quantum/ml-kem.js';
import type { Algorithm } from '../../src/algorithms/registry.ts';
import { contextTag, TAG } from '../../src/key-material/der-reader.ts';
import { derElement, derIdentifier, derInteger, derSequence } from '../../src/key-material/der-writer.ts';

export const LATTICES = {
  'ml-dsa-44': ml_dsa44,
  'ml-dsa-65': ml_dsa65,
  'ml-dsa-87': ml_dsa87,
  'ml-kem-512': ml_kem512,
  'ml-kem-768': ml_kem768,
  'ml-kem-1024': ml_kem1024,
};

export function isLattice(keyType: string): keyType is keyof typeof LATTICES {
  return keyType in LATTICES;
}

/** A fresh key pair for an algorithm, made by OpenSSL. */
export function pairFor({ form }: Algorithm): { readonly privateKey: KeyObject; readonly publicKey: KeyObject } {
  switch (form.kind) {
    case 'rsa':
      return generateKeyPairSync('rsa', { modulusLength: form.modulusBits });
    case 'ec':
      return generateKeyPairSync('ec', { namedCurve: form.namedCurve });
    case 'node-key':
      // The overloads of @types/node name each key type alone; at run time they are one call.
      return generateKeyPairSync(form.keyType as 'ed25519');
    default:
      throw new TypeError('not a pair in a container');
  }
}

export interface Container {
  readonly name: string;
  readonly der: Buffer;
}

/** Every form in which tools write one private key. */
export function containersOf(algorithm: Algorithm, privateKey: KeyObject): readonly Container[] {
  const plain = privateKey.export({ format: 'der', type: 'pkcs8' });
  const { identifier, inner } = partsOf(plain);
  const publicBits = partsOfPublic(createPublicKey(privateKey).export({ format: 'der', type: 'spki' }));
  const wrap = (version: bigint, octets: Buffer, ...more: Buffer[]) =>
    derSequence(derInteger(version), identifier, derElement(TAG.octetString, octets), ...more);
  const publicKey = derElement(contextTag(1, 'primitive'), Buffer.of(0), publicBits);
  const attributes = derElement(contextTag(0, 'constructed'), KEY_USAGE, FRIENDLY_NAME, LOCAL_KEY_ID);
  return [
    { name: 'version 1', der: plain },
    { name: 'version 2 with the public half', der: wrap(1n, inner, publicKey) },
    { name: 'version 1 with attributes', der: wrap(0n, inner, attributes) },
    { name: 'version 2 with both', der: wrap(1n, inner, attributes, publicKey) },
    ...innerForms(algorithm, privateKey, identifier, publicBits).map(({ name, der }) => ({ name, der: wrap(0n, der) })),
  ];
}

/** Windows writes `keyUsage`, PKCS #12 files have the other two. */
const KEY_USAGE = attribute('551d0f', Buffer.from('03020080', 'hex'));
const FRIENDLY_NAME = attribute('2a864886f70d010914', derElement(TAG.bmpString, Buffer.from('\0k\0e\0y')));
const LOCAL_KEY_ID = attribute('2a864886f70d010915', derElement(TAG.octetString, Buffer.of(1, 0, 0, 0)));

export function attribute(oid: string, value: Buffer): Buffer {
  return derSequence(derIdentifier(oid), derElement(TAG.set, value));
}

function innerForms(
  { form }: Algorithm,
  privateKey: KeyObject,
  identifier: Buffer,
  publicBits: Buffer,
): readonly Container[] {
  if (form.kind === 'ec') {
    const { d = '' } = privateKey.export({ format: 'jwk' });
    const scalar = derElement(TAG.octetString, Buffer.from(d, 'base64url'));
    const parameters = derElement(contextTag(0, 'constructed'), curveIn(identifier));
    const compressed = Buffer.concat([
      Buffer.of(2 + ((publicBits.at(-1) ?? 0) & 1)),
      publicBits.subarray(1, (publicBits.length + 1) / 2),
    ]);
    const half = (point: Buffer) =>
      derElement(contextTag(1, 'constructed'), derElement(TAG.bitString, Buffer.of(0), point));
    const one = derInteger(1n);
    return [
      { name: 'without the public half', der: derSequence(one, scalar) },
      { name: 'with the curve inside', der: derSequence(one, scalar, parameters) },
      {
        name: 'with the curve and the public half inside',
        der: derSequence(one, scalar, parameters, half(publicBits)),
      },
      { name: 'with a compressed public half', der: derSequence(one, scalar, half(compressed)) },
    ];
  }
  if (form.kind !== 'node-key' || !isLattice(form.keyType)) return [];
  const seed = privateKey.export({ format: 'raw-seed' });
  const expanded = derElement(TAG.octetString, Buffer.from(LATTICES[form.keyType].keygen(seed).secretKey));
  return [
    { name: 'expanded', der: expanded },
    { name: 'seed and expanded', der: derSequence(derElement(TAG.octetString, seed), expanded) },
  ];
}

/** The curve in an AlgorithmIdentifier, whose first member is the kind of the key. */
function curveIn(identifier: Buffer): Buffer {
  const members = contentAt(identifier, 0);
  return members.subarray(2 + (members[1] ?? 0));
}

function partsOf(pkcs8: Buffer): { readonly identifier: Buffer; readonly inner: Buffer } {
  const algorithmAt = pkcs8.indexOf('020100', 0, 'hex') + 3;
  const algorithmEnd = algorithmAt + 2 + (pkcs8[algorithmAt + 1] ?? 0);
  return { identifier: pkcs8.subarray(algorithmAt, algorithmEnd), inner: contentAt(pkcs8, algorithmEnd) };
}

function partsOfPublic(spki: Buffer): Buffer {
  const outside = contentAt(spki, 0);
  return contentAt(outside, 2 + (outside[1] ?? 0)).subarray(1);
}

function contentAt(der: Buffer, at: number): Buffer {
  const first = der[at + 1] ?? 0;
  return der.subarray(first < 0x80 ? at + 2 : at + 2 + (first & 0x7f));
}

/** The private key of a sealed version. */
export function keyIn(secret: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.from(secret), format: 'der', type: 'pkcs8' });
}
