import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { CURVE_ENCODINGS, EC_OID, OCTET_ENCODINGS, RSA_OID } from '../../src/algorithms/key-encodings.ts';
import { ALGORITHMS, type Algorithm } from '../../src/algorithms/registry.ts';
import { algorithmById } from '../../src/algorithms/resolve.ts';
import { acceptImported } from '../../src/engines/imported-material.ts';
import { contextTag, TAG } from '../../src/key-material/der-reader.ts';
import { derElement, derIdentifier, derInteger, derSequence } from '../../src/key-material/der-writer.ts';
import { failure } from '../crypto-samples.ts';
import { attribute, containersOf, pairFor } from './containers.ts';

const TIMEOUT = 60_000;
const PAIRS = ALGORITHMS.filter(({ form }) => form.kind !== 'secret' && form.kind !== 'x-wing');
/** One algorithm of each form and family that is made and used in milliseconds, and every curve, as each has its size. */
const SAMPLES = [
  ...['ed25519', 'x25519', 'rsa-2048', 'kyber-768', 'dilithium-3'].map(algorithmById),
  ...ALGORITHMS.filter(({ form }) => form.kind === 'ec'),
];

/** The members of a version 1 container. */
function membersOf(privateKey: KeyObject): { readonly identifier: Buffer; readonly octets: Buffer } {
  const der = privateKey.export({ format: 'der', type: 'pkcs8' });
  const at = der.indexOf('020100', 0, 'hex') + 3;
  const end = at + 2 + (der[at + 1] ?? 0);
  return { identifier: der.subarray(at, end), octets: der.subarray(end) };
}

function longLength(tag: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.of(tag, 0x84, 0, 0, content.length >> 8, content.length & 0xff), content]);
}

const VERSION_1 = derInteger(0n);
const VERSION_2 = derInteger(1n);

/** What a container may not be, for a key whose members are given and another key's public half. */
function wrongContainers(privateKey: KeyObject, foreign: KeyObject): readonly (readonly [string, Buffer, RegExp])[] {
  const { identifier, octets } = membersOf(privateKey);
  const good = derSequence(VERSION_1, identifier, octets);
  const content = Buffer.concat([VERSION_1, identifier, octets]);
  const own = publicBits(createPublicKey(privateKey));
  const half = (bits: Buffer, unused = 0) => derElement(contextTag(1, 'primitive'), Buffer.of(unused), bits);
  const attributes = (...all: Buffer[]) => derElement(contextTag(0, 'constructed'), ...all);
  const name = attribute('2a864886f70d010914', derElement(TAG.bmpString, Buffer.from('\0k')));
  return [
    ['nothing', Buffer.alloc(0), /PKCS #8/],
    ['a byte behind it', Buffer.concat([good, Buffer.of(0)]), /bytes after it/],
    ['a second container behind it', Buffer.concat([good, good]), /bytes after it/],
    ['its last byte missing', good.subarray(0, -1), /cut off/],
    ['an indefinite length', Buffer.concat([Buffer.of(0x30, 0x80), content, Buffer.of(0, 0)]), /indefinite/],
    ['a length in more octets than needed', longLength(0x30, content), /too long|fewest octets/],
    [
      'a version in more octets than needed',
      derSequence(Buffer.from('02020000', 'hex'), identifier, octets),
      /fewest octets/,
    ],
    ['a negative version', derSequence(Buffer.from('0201ff', 'hex'), identifier, octets), /negative/],
    ['version 3', derSequence(derInteger(2n), identifier, octets), /neither 1 nor 2/],
    ['a public half in version 1', derSequence(VERSION_1, identifier, octets, half(own)), /version 2/],
    ['version 2 without a public half', derSequence(VERSION_2, identifier, octets), /version 2/],
    [
      'the public half of another key',
      derSequence(VERSION_2, identifier, octets, half(publicBits(foreign))),
      /public half/,
    ],
    [
      'a public half with a byte more',
      derSequence(VERSION_2, identifier, octets, half(Buffer.concat([own, Buffer.of(0)]))),
      /public half|point/,
    ],
    ['a public half with unused bits', derSequence(VERSION_2, identifier, octets, half(own, 1)), /unused bits/],
    ['an empty public half', derSequence(VERSION_2, identifier, octets, half(Buffer.alloc(0))), /public half|infinity/],
    [
      'a member that nobody knows',
      derSequence(VERSION_1, identifier, octets, derElement(0xa2, octets)),
      /not understood/,
    ],
    [
      'an attribute that nobody knows',
      derSequence(VERSION_1, identifier, octets, attributes(attribute('2a0304', VERSION_1))),
      /unknown attribute/,
    ],
    ['an attribute twice', derSequence(VERSION_1, identifier, octets, attributes(name, name)), /twice/],
    [
      'an attribute with two values',
      derSequence(
        VERSION_1,
        identifier,
        octets,
        attributes(attribute('2a864886f70d010915', Buffer.concat([derElement(4), derElement(4)]))),
      ),
      /not understood/,
    ],
    [
      'an identifier with padding',
      derSequence(VERSION_1, derSequence(derElement(6, Buffer.from('802b6570', 'hex'))), octets),
      /identifier/,
    ],
    ['an empty identifier', derSequence(VERSION_1, derSequence(derElement(6)), octets), /identifier/],
    [
      'parameters that do not belong to it',
      derSequence(VERSION_1, derSequence(firstOf(identifier), derIdentifier('2a0304')), octets),
      /parameters|named curve/,
    ],
    [
      'more behind its parameters',
      derSequence(VERSION_1, derSequence(identifier.subarray(2), derElement(5)), octets),
      /parameters|not understood/,
    ],
    [
      'more inside of its key',
      derSequence(VERSION_1, identifier, derElement(4, contentOf(octets), Buffer.of(5, 0))),
      /after it|octets/,
    ],
  ];
}

function firstOf(identifier: Buffer): Buffer {
  return identifier.subarray(2, 4 + (identifier[3] ?? 0));
}

function contentOf(element: Buffer): Buffer {
  const first = element[1] ?? 0;
  return element.subarray(first < 0x80 ? 2 : 2 + (first & 0x7f));
}

function publicBits(key: KeyObject): Buffer {
  const inside = contentOf(key.export({ format: 'der', type: 'spki' }));
  return contentOf(inside.subarray(2 + (inside[1] ?? 0))).subarray(1);
}

describe.each(SAMPLES)('a container of $id', (algorithm) => {
  test('is taken in every form in which tools write it, and gives the same key', async () => {
    const { privateKey, publicKey } = pairFor(algorithm);
    for (const { name, der } of containersOf(algorithm, privateKey)) {
      const taken = await acceptImported(algorithm, Buffer.from(der));
      expect(taken.publicKey, name).toEqual(publicKey.export({ format: 'der', type: 'spki' }));
    }
  });

  test(
    'is refused, with the rule, unless it is DER with nothing that is not understood',
    async () => {
      const { privateKey } = pairFor(algorithm);
      for (const [name, der, rule] of wrongContainers(privateKey, pairFor(algorithm).publicKey)) {
        const call = acceptImported(algorithm, der);
        await expect(call, name).rejects.toThrow(failure('BAD_REQUEST'));
        await expect(call, name).rejects.toThrow(rule);
      }
    },
    TIMEOUT,
  );
});

test('the table of encodings is that of the platform, for every algorithm of the registry', () => {
  for (const algorithm of PAIRS.filter(({ family }) => family !== 'rsa')) {
    const pair = pairFor(algorithm);
    const { identifier, octets } = membersOf(pair.privateKey);
    const expected = encodingOf(algorithm);
    expect(firstOf(identifier), algorithm.id).toEqual(derIdentifier(expected.oid));
    if (expected.curve !== null) expect(identifier.subarray(-expected.curve.length)).toEqual(expected.curve);
    if (expected.publicBytes > 0) expect(publicBits(pair.publicKey).length).toBe(expected.publicBytes);
    expect(contentOf(octets).length).toBeGreaterThan(0);
  }
  expect(RSA_OID).toBe('2a864886f70d010101');
});

function encodingOf({ form }: Algorithm) {
  if (form.kind === 'ec') {
    const curve = CURVE_ENCODINGS.find(({ namedCurve }) => namedCurve === form.namedCurve);
    return { oid: EC_OID, curve: derIdentifier(curve?.oid ?? ''), publicBytes: 1 + 2 * (curve?.bytes ?? 0) };
  }
  const octets = OCTET_ENCODINGS.find(({ keyType }) => form.kind === 'node-key' && keyType === form.keyType);
  return { oid: octets?.oid ?? '', curve: null, publicBytes: octets?.publicBytes ?? 0 };
}

describe('a seed and an expanded key beside it', () => {
  test.each(['kyber-512', 'kyber-1024', 'dilithium-2', 'dilithium-5'])(
    '%s: belong together, or are refused',
    async (id) => {
      const algorithm = algorithmById(id);
      const [one, two] = [pairFor(algorithm).privateKey, pairFor(algorithm).privateKey];
      const { identifier } = membersOf(one);
      const expandedOf = (key: KeyObject) => {
        const found = containersOf(algorithm, key).find(({ name }) => name === 'expanded');
        return contentOf(
          membersOf(createPrivateKey({ key: found?.der ?? Buffer.alloc(0), format: 'der', type: 'pkcs8' })).octets,
        );
      };
      const seed = derElement(4, one.export({ format: 'raw-seed' }));
      const both = derSequence(VERSION_1, identifier, derElement(4, derSequence(seed, expandedOf(two))));
      await expect(acceptImported(algorithm, both)).rejects.toThrow(/do not belong together/);
      const twice = derSequence(VERSION_1, identifier, derElement(4, derSequence(expandedOf(one), seed)));
      await expect(acceptImported(algorithm, twice)).rejects.toThrow(/seed/);
    },
  );
});
