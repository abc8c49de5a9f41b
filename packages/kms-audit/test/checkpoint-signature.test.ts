import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { type Checkpoint, checkpointSigner, checkpointVerifier } from '@qnsp/kms-audit';
import { signedBytes } from '../src/checkpoint.ts';
import { compactVerify } from 'jose';
import { describe, expect, test } from 'vitest';
import { samplePem, sampleExport } from './audit-samples.ts';

interface Pair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}
const KEYS: Readonly<Record<string, () => Pair>> = {
  Ed25519: () => generateKeyPairSync('ed25519'),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ES384: () => generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  ES512: () => generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  PS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  'ML-DSA-44': () => generateKeyPairSync('ml-dsa-44'),
  'ML-DSA-65': () => generateKeyPairSync('ml-dsa-65'),
  'ML-DSA-87': () => generateKeyPairSync('ml-dsa-87'),
};

function pems({ privateKey, publicKey }: Pair) {
  return {
    privatePem: privateKey.export({ format: 'pem', type: 'pkcs8' }),
    publicPem: publicKey.export({ format: 'pem', type: 'spki' }),
    publicKey,
  };
}

describe.each(Object.keys(KEYS))('%s', (algorithm) => {
  test('signs a JWS that a JOSE library verifies, and notices every change', async () => {
    const { privatePem, publicPem, publicKey } = pems(KEYS[algorithm]?.() ?? generateKeyPairSync('ed25519'));
    const { latest } = await sampleExport([3], privatePem);
    expect(checkpointSigner(privatePem)).toMatchObject({ algorithm, publicKeyPem: publicPem });

    const [header, , signature] = latest.signature.split('.');
    const attached = `${header}.${signedBytes(latest).toString('base64url')}.${signature}`;
    const verified = await compactVerify(attached, publicKey, { algorithms: [algorithm] });
    expect(verified.protectedHeader.kid).toBe(checkpointSigner(privatePem).keyId);

    const verifier = checkpointVerifier(publicPem);
    expect(verifier.problem(latest)).toBeUndefined();
    for (const change of changesOf(latest)) expect(verifier.problem({ ...latest, ...change })).toBeDefined();
    expect(checkpointVerifier(pems(generateKeyPairSync('ed25519')).publicPem).problem(latest)).toBeDefined();
  });
});

function changesOf(latest: Checkpoint): Partial<Checkpoint>[] {
  const [header = '', , signature = ''] = latest.signature.split('.');
  const none = Buffer.from('{"alg":"none"}').toString('base64url');
  return [
    { eventCount: latest.eventCount + 1 },
    { lastSequence: latest.lastSequence + 1 },
    { merkleRoot: 'f'.repeat(64) },
    { timestamp: '2027-03-01T10:00:01.000Z' },
    { previousCheckpoint: 'f'.repeat(64) },
    { signature: `${header}..` },
    { signature: `${none}..${signature}` },
    { signature: `${header}..${signature.slice(0, -4)}AAAA` },
    { signature: `${header}..${signature}=` },
  ];
}

test('a character of a signature counts whole, not only its last eight bits', async () => {
  const { privatePem, publicPem } = pems(generateKeyPairSync('ed25519'));
  const { latest } = await sampleExport([1], privatePem);
  const verifier = checkpointVerifier(publicPem);
  for (let index = 0; index < latest.signature.length; index += 1)
    for (const beyond of [0x100, 0x2000, 0xcd00]) {
      const other = String.fromCharCode(beyond + latest.signature.charCodeAt(index));
      const signature = latest.signature.slice(0, index) + other + latest.signature.slice(index + 1);
      expect(verifier.problem({ ...latest, signature }), `${other} at ${index}`).toBeDefined();
    }
});

test('an RSA signature without its leading zero is wrong', async () => {
  const { privatePem, publicPem } = pems(generateKeyPairSync('rsa', { modulusLength: 2048 }));
  const { latest } = await sampleExport([1], privatePem);
  const signer = checkpointSigner(privatePem);
  // One of 256 begins with a zero.
  for (;;) {
    const signed = await signer.sign(latest);
    const [header, , signature = ''] = signed.signature.split('.');
    const bytes = Buffer.from(signature, 'base64url');
    if (bytes[0] !== 0) continue;
    expect(checkpointVerifier(publicPem).problem(signed)).toBeUndefined();
    const shorter = `${header}..${bytes.subarray(1).toString('base64url')}`;
    expect(checkpointVerifier(publicPem).problem({ ...signed, signature: shorter })).toBeDefined();
    return;
  }
});

test('an RSA-PSS key signs as an RSA key does', async () => {
  const { privatePem, publicPem } = pems(
    generateKeyPairSync('rsa-pss', { modulusLength: 2048, hashAlgorithm: 'sha256', mgf1HashAlgorithm: 'sha256' }),
  );
  const { latest } = await sampleExport([1], privatePem);
  expect(checkpointVerifier(publicPem).problem(latest)).toBeUndefined();
});

test('a key that cannot sign checkpoints is refused, and its material is not shown', () => {
  const small = pems(generateKeyPairSync('rsa', { modulusLength: 1024 })).privatePem;
  const x25519 = pems(generateKeyPairSync('x25519')).privatePem;
  const curve = pems(generateKeyPairSync('ec', { namedCurve: 'secp256k1' })).privatePem;
  for (const pem of [small, x25519, curve, 'nonsense', samplePem().replace('MC4', 'MC5')]) {
    expect(() => checkpointSigner(pem)).toThrow(RangeError);
    expect(() => checkpointSigner(pem)).not.toThrow(pem.slice(-60, -30) || 'nonsense');
  }
});

describe('a signing key is held against the standard of its type', () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pkcs8 = privateKey.export({ format: 'der', type: 'pkcs8' });
  const pemOf = (der: Buffer, label = 'PRIVATE KEY') =>
    `-----BEGIN ${label}-----\n${der.toString('base64')}\n-----END ${label}-----\n`;
  /** The scalar of a P-256 key stands behind 36 octets that are the same for all of them. */
  const withScalar = (scalar: Buffer) => Buffer.concat([pkcs8.subarray(0, 36), scalar, pkcs8.subarray(68)]);
  const otherHalf = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
    format: 'der',
    type: 'pkcs8',
  });
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 }).privateKey;
  const encrypted = { cipher: 'aes-256-cbc', passphrase: 'x' } as const;
  const keys: Readonly<Record<string, readonly [string, RegExp]>> = {
    'a scalar of 0': [pemOf(withScalar(Buffer.alloc(32))), /between 1 and n/],
    'a scalar beyond the order': [pemOf(withScalar(Buffer.alloc(32, 0xff))), /between 1 and n/],
    'the public half of another key': [
      pemOf(Buffer.concat([pkcs8.subarray(0, -64), otherHalf.subarray(-64)])),
      /not that of the private key/,
    ],
    'a byte behind it': [pemOf(Buffer.concat([pkcs8, Buffer.of(0)])), /bytes after it/],
    'explicit parameters': [
      pems(generateKeyPairSync('ec', { namedCurve: 'P-256', paramEncoding: 'explicit' })).privatePem,
      /name its curve/,
    ],
    'RSA with the exponent 3': [rsa.export({ format: 'pem', type: 'pkcs1' }), /public exponent/],
    'two keys': [pemOf(pkcs8) + pemOf(otherHalf), /more than one/],
    'an encrypted key': [privateKey.export({ format: 'pem', type: 'pkcs8', ...encrypted }), /encrypted/],
    'an encrypted key of the old form': [privateKey.export({ format: 'pem', type: 'sec1', ...encrypted }), /encrypted/],
  };
  test.each(Object.entries(keys))('%s', (_name, [pem, rule]) => {
    expect(() => checkpointSigner(pem)).toThrow(RangeError);
    expect(() => checkpointSigner(pem)).toThrow(rule);
  });

  test('in each of its forms it is the same key', () => {
    const keyId = checkpointSigner(pemOf(pkcs8)).keyId;
    const sec1 = privateKey.export({ format: 'pem', type: 'sec1' });
    const noted = `Bag Attributes\n    friendlyName: k\n${pemOf(pkcs8)}`;
    for (const pem of [sec1, noted, pemOf(pkcs8).replaceAll('\n', '\r\n')])
      expect(checkpointSigner(pem).keyId).toBe(keyId);
    const strong = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    const [one, two] = (['pkcs1', 'pkcs8'] as const).map((type) =>
      checkpointSigner(strong.export({ format: 'pem', type })),
    );
    expect(one?.keyId).toBe(two?.keyId);
  });

  test('and so is the public key that verifies', () => {
    const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
    const off = Buffer.from(spki);
    off[spki.length - 1] = (off.at(-1) ?? 0) ^ 1;
    checkpointVerifier(pemOf(spki, 'PUBLIC KEY'));
    expect(() => checkpointVerifier(pemOf(off, 'PUBLIC KEY'))).toThrow(/not on the curve/);
    expect(() => checkpointVerifier(pemOf(Buffer.concat([spki, Buffer.of(0)]), 'PUBLIC KEY'))).toThrow(
      /bytes after it/,
    );
  });
});
