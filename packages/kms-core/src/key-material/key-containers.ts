import { contextTag, DerReader, TAG } from './der-reader.ts';
import { derElement, derIdentifier, derInteger, derSequence } from './der-writer.ts';
import { demand } from './refused-material.ts';

/** The algorithm that a container names. */
export interface AlgorithmIdentifier {
  /** The hexadecimal of the object identifier's content. */
  readonly oid: string;
  readonly parameters: 'absent' | 'null' | 'other' | { readonly namedCurve: string };
  /** All of it, in DER. */
  readonly der: Buffer;
}

export interface PrivateKeyInfo {
  readonly algorithm: AlgorithmIdentifier;
  /** What the octet string `privateKey` holds. */
  readonly privateKey: Buffer;
  /** The public half that a version 2 container says is the key's. */
  readonly publicKey: Buffer | null;
}

/**
 * Reads a private key as PKCS #8: OneAsymmetricKey of RFC 5958, section 2, version 1 (RFC 5208) or 2, in DER. The views
 * that it answers end with the bytes.
 *
 * @throws RefusedMaterial
 */
export function readPrivateKeyInfo(der: Uint8Array): PrivateKeyInfo {
  const outside = new DerReader(der, 'the material');
  const info = outside.inside(TAG.sequence, 'private key as PKCS #8 in DER');
  outside.end();
  const version = info.smallInteger('version of the PKCS #8');
  demand(version <= 1, 'the version of the PKCS #8 is neither 1 nor 2');
  const algorithm = readAlgorithm(info);
  const privateKey = info.content(TAG.octetString, 'private key of the PKCS #8');
  if (info.isNext(contextTag(0, 'constructed')))
    readAttributes(info.inside(contextTag(0, 'constructed'), 'attributes'));
  const tag = contextTag(1, 'primitive');
  const publicKey = info.isNext(tag) ? info.bits(tag, 'public key of the PKCS #8') : null;
  info.end();
  // RFC 5958, section 2: the version is that of the newest member.
  demand((version === 1) === (publicKey !== null), 'a public key belongs to version 2 of PKCS #8, and only to it');
  return { algorithm, privateKey, publicKey };
}

/** Writes a version 1 container. */
export function writePrivateKeyInfo(algorithm: Uint8Array, privateKey: Uint8Array): Buffer {
  return derSequence(derInteger(0n), algorithm, derElement(TAG.octetString, privateKey));
}

/** An AlgorithmIdentifier; `parameters` is DER. */
export function writeAlgorithm(oid: string, parameters: Uint8Array = Buffer.alloc(0)): Buffer {
  return derSequence(derIdentifier(oid), parameters);
}

export interface PublicKeyInfo {
  readonly algorithm: AlgorithmIdentifier;
  readonly publicKey: Buffer;
}

/**
 * Reads a public key as SubjectPublicKeyInfo (RFC 5280, section 4.1) in DER.
 *
 * @throws RefusedMaterial
 */
export function readPublicKeyInfo(der: Uint8Array): PublicKeyInfo {
  const outside = new DerReader(der, 'the public key');
  const info = outside.inside(TAG.sequence, 'SubjectPublicKeyInfo in DER');
  outside.end();
  const algorithm = readAlgorithm(info);
  const publicKey = info.bits(TAG.bitString, 'bit string of the SubjectPublicKeyInfo');
  info.end();
  return { algorithm, publicKey };
}

function readAlgorithm(info: DerReader): AlgorithmIdentifier {
  const content = info.content(TAG.sequence, 'algorithm identifier');
  const algorithm = new DerReader(content, 'the algorithm identifier');
  const oid = algorithm.identifier('object identifier of the algorithm');
  const parameters = readParameters(algorithm);
  algorithm.end();
  return { oid, parameters, der: derSequence(content) };
}

function readParameters(algorithm: DerReader): AlgorithmIdentifier['parameters'] {
  if (algorithm.isAtEnd) return 'absent';
  if (algorithm.isNext(TAG.objectIdentifier)) return { namedCurve: algorithm.identifier('named curve') };
  if (algorithm.isNext(TAG.sequence)) {
    algorithm.content(TAG.sequence, 'parameters of the algorithm');
    return 'other';
  }
  const content = algorithm.content(TAG.null, 'kind of parameters that a key has');
  demand(content.length === 0, 'the NULL of the algorithm identifier is not empty');
  return 'null';
}

/** What tools write beside a key. It says nothing that is acted upon. */
const ATTRIBUTES: ReadonlyMap<string, (value: DerReader) => void> = new Map([
  // RFC 5280, section 4.2.1.3: nine bits. Windows writes it, with unused bits that it does not count.
  [
    '551d0f',
    (value) => demand(/^0[0-7]..(..)?$/.test(hex(value, TAG.bitString, 'key usage')), 'the key usage is malformed'),
  ],
  // RFC 2985, sections 5.5.1 and 5.5.2.
  [
    '2a864886f70d010914',
    (value) => demand(hex(value, TAG.bmpString, 'friendly name').length % 4 === 0, 'the friendly name is malformed'),
  ],
  ['2a864886f70d010915', (value) => void value.content(TAG.octetString, 'local key identifier')],
]);

function readAttributes(attributes: DerReader): void {
  const seen = new Set<string>();
  while (!attributes.isAtEnd) {
    const attribute = attributes.inside(TAG.sequence, 'attribute');
    const oid = attribute.identifier('type of the attribute');
    const values = attribute.inside(TAG.set, 'values of the attribute');
    const readValue = ATTRIBUTES.get(oid);
    demand(readValue !== undefined, 'the PKCS #8 has an unknown attribute: leave it out');
    demand(!seen.has(oid), 'an attribute of the PKCS #8 occurs twice');
    seen.add(oid);
    readValue(values);
    values.end();
    attribute.end();
  }
}

function hex(value: DerReader, tag: number, what: string): string {
  return value.content(tag, what).toString('hex');
}
