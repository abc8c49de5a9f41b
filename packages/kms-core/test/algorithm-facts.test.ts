import { describe, expect, test } from 'vitest';
import { algorithmFacts, useOf } from '../src/algorithms/algorithm-facts.ts';
import { OCTET_ENCODINGS } from '../src/algorithms/key-encodings.ts';
import { type Algorithm, ALGORITHMS } from '../src/algorithms/registry.ts';
import { algorithmById } from '../src/algorithms/resolve.ts';

/** An object identifier in dots, of the hexadecimal contents of its DER (X.690, section 8.19). */
function dotted(hex: string): string {
  const [first = 0, ...rest] = Buffer.from(hex, 'hex');
  const arcs = [Math.floor(first / 40), first % 40];
  let arc = 0;
  for (const byte of rest) {
    arc = arc * 128 + (byte & 0x7f);
    if (byte >= 0x80) continue;
    arcs.push(arc);
    arc = 0;
  }
  return arcs.join('.');
}

const each = test.each(ALGORITHMS.map((algorithm) => [algorithm.id, algorithm] as const));

describe('what is stated about an algorithm agrees with the registry:', () => {
  each('%s is in a category of NIST if, and only if, a quantum computer does not break it', (_id, algorithm) => {
    const { nistCategory } = algorithmFacts(algorithm);
    // A search for an AES-128 key defines category 1; the registry asks for more of what is new.
    expect(nistCategory > 0).toBe(algorithm.quantumSafe || algorithm.id === 'aes-128-gcm');
  });

  each('%s has the object identifier of its keys', (_id, algorithm) => {
    const { form } = algorithm;
    const encoding = form.kind === 'node-key' && OCTET_ENCODINGS.find(({ keyType }) => keyType === form.keyType);
    if (encoding === false || encoding === undefined) return;
    expect(algorithmFacts(algorithm).uses.map(({ oid }) => oid)).toEqual([dotted(encoding.oid)]);
  });

  each('%s is as strong as the length of its keys allows', (_id, algorithm) => {
    const { classicalBits } = algorithmFacts(algorithm);
    const { form } = algorithm;
    if (form.kind === 'secret') expect(classicalBits).toBe(Math.min(form.bytes * 8, 256));
    if (form.kind === 'ec') expect(classicalBits).toBe({ prime256v1: 128, secp384r1: 192 }[form.namedCurve]);
    if (form.kind === 'rsa') expect(classicalBits).toBe({ 2048: 112, 3072: 128, 4096: 152 }[form.modulusBits]);
  });

  each('%s is used in a way that its purposes need', (_id, algorithm) => {
    const facts = algorithmFacts(algorithm);
    const functions = new Set(facts.uses.flatMap((use) => use.functions));
    const needs = {
      encrypt: functions.has('encrypt') || functions.has('encapsulate'),
      sign: functions.has('sign'),
      mac: functions.has('tag'),
      derive: functions.has('keyderive'),
    };
    expect(needs).toEqual({
      encrypt: offers(algorithm, 'encrypt') || functions.has('encrypt') || functions.has('encapsulate'),
      sign: offers(algorithm, 'sign'),
      mac: offers(algorithm, 'mac'),
      derive: offers(algorithm, 'derive'),
    });
    if (offers(algorithm, 'encrypt')) expect(needs.encrypt).toBe(true);
  });

  each('%s has a name and an object identifier that no other has', (_id, algorithm) => {
    const uses = ALGORITHMS.filter((other) => other !== algorithm).flatMap((other) => algorithmFacts(other).uses);
    for (const { name } of algorithmFacts(algorithm).uses) expect(uses.map((use) => use.name)).not.toContain(name);
  });
});

function offers({ purposes }: Algorithm, purpose: Algorithm['purposes'][number]): boolean {
  return purposes.includes(purpose);
}

test('the NIST categories are those of FIPS 203, 204 and 205', () => {
  const byName = Object.fromEntries(
    ALGORITHMS.filter(({ family }) => ['ml-kem', 'ml-dsa', 'slh-dsa', 'hybrid-kem'].includes(family)).map(
      (algorithm) => [algorithm.standardName, algorithmFacts(algorithm).nistCategory],
    ),
  );
  expect(byName).toMatchObject({
    'ML-KEM-512': 1,
    'ML-KEM-768': 3,
    'ML-KEM-1024': 5,
    'ML-DSA-44': 2,
    'ML-DSA-65': 3,
    'ML-DSA-87': 5,
    'SLH-DSA-SHA2-128s': 1,
    'SLH-DSA-SHAKE-192f': 3,
    'SLH-DSA-SHA2-256f': 5,
    'X-Wing': 3,
  });
});

test('an RSA key is stated by what it is for', () => {
  const facts = algorithmFacts(algorithmById('rsa-3072'));
  expect(useOf(facts, 'verify').name).toBe('RSASSA-PSS-3072');
  expect(useOf(facts, 'key-wrapping').name).toBe('RSAES-OAEP-3072');
  expect(useOf(algorithmFacts(algorithmById('dilithium-3')), 'signing').name).toBe('ML-DSA-65');
});
