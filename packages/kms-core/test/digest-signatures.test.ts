import { spawnSync } from 'node:child_process';
import { constants, createPublicKey, hash, verify } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { algorithmById } from '../src/algorithms/resolve.ts';
import type { SignatureHash, SignatureOptions } from '../src/engines/engine.ts';
import { generateSoftwareKey, type SoftwareKey } from '../src/engines/software-key.ts';

const MESSAGE = Buffer.from('hashed by whoever asks for the signature');
const HASHES = ['sha256', 'sha384', 'sha512'] as const;
const ECDSA = ['ecdsa-p256', 'ecdsa-p384'] as const;
const RSA = ['rsa-2048', 'rsa-3072'] as const;

const keys = new Map<string, SoftwareKey>();
const others = new Map<string, SoftwareKey>();
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'qnsp-kms-'));
  for (const id of [...ECDSA, ...RSA]) {
    keys.set(id, await generateSoftwareKey(id));
    others.set(id, await generateSoftwareKey(id));
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

function keyOf(id: string): SoftwareKey {
  const key = keys.get(id);
  if (key === undefined) throw new Error(`there is no key of ${id}`);
  return key;
}

function digestOf(name: SignatureHash): Buffer {
  return hash(name, MESSAGE, 'buffer');
}

function publicKeyOf(key: SoftwareKey) {
  return createPublicKey({ key: Buffer.from(key.publicKey ?? []), format: 'der', type: 'spki' });
}

/** How `node:crypto`, which hashes the message itself, is asked about a signature with these options. */
function nodeOptions(id: string, { scheme, format = 'der' }: SignatureOptions) {
  if (id.startsWith('ecdsa')) return { dsaEncoding: format };
  return scheme === 'pkcs1-v1_5'
    ? { padding: constants.RSA_PKCS1_PADDING }
    : { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
}

type Case = readonly [id: string, options: SignatureOptions & { readonly hash: SignatureHash }];
const CASES: readonly Case[] = HASHES.flatMap((name): readonly Case[] => [
  ...ECDSA.flatMap((id) => (['der', 'ieee-p1363'] as const).map((format): Case => [id, { hash: name, format }])),
  ...RSA.flatMap((id) => (['pss', 'pkcs1-v1_5'] as const).map((scheme): Case => [id, { hash: name, scheme }])),
]);

describe.each(CASES)('a digest signed with %s and %o', (id, options) => {
  const asDigest = { ...options, messageType: 'digest' } as const;

  it('has a signature that holds for the message, and the other way round', async () => {
    const key = keyOf(id);
    const ofDigest = await key.sign(digestOf(options.hash), asDigest);
    const ofMessage = await key.sign(MESSAGE, options);
    expect(verify(options.hash, MESSAGE, { key: publicKeyOf(key), ...nodeOptions(id, options) }, ofDigest)).toBe(true);
    expect(await key.verify(MESSAGE, ofDigest, options)).toBe(true);
    expect(await key.verify(digestOf(options.hash), ofMessage, asDigest)).toBe(true);
    expect(await key.verify(MESSAGE, ofMessage, options)).toBe(true);
  });

  it('has none that holds for another digest, hash or key, or with a bit changed', async () => {
    const key = keyOf(id);
    const digest = digestOf(options.hash);
    const signature = await key.sign(digest, asDigest);
    const other = Buffer.from(digest);
    other[0] = (other[0] ?? 0) ^ 0x80;
    expect(await key.verify(other, signature, asDigest)).toBe(false);
    for (const name of HASHES.filter((each) => each !== options.hash))
      expect(await key.verify(digestOf(name), signature, { ...asDigest, hash: name })).toBe(false);
    const another = others.get(id);
    expect(await another?.verify(digest, signature, asDigest)).toBe(false);
    for (let at = 0; at < signature.length; at += id.startsWith('rsa') ? 31 : 1) {
      const changed = Buffer.from(signature);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(await key.verify(digest, changed, asDigest)).toBe(false);
    }
  });

  it('has none of another length', async () => {
    const key = keyOf(id);
    const digest = digestOf(options.hash);
    const signature = await key.sign(digest, asDigest);
    for (const wrong of [
      Buffer.alloc(0),
      signature.subarray(1),
      signature.subarray(0, -1),
      Buffer.concat([signature, Buffer.of(0)]),
      Buffer.concat([Buffer.of(0), signature]),
    ])
      expect(await key.verify(digest, wrong, asDigest)).toBe(false);
  });

  it('is as long as the hash makes it', async () => {
    const digest = digestOf(options.hash);
    for (const wrong of [digest.subarray(1), Buffer.concat([digest, Buffer.of(0)]), Buffer.alloc(0)]) {
      const refused = { code: 'BAD_REQUEST', message: expect.stringContaining(`${digest.length} bytes`) };
      await expect(keyOf(id).sign(wrong, asDigest)).rejects.toMatchObject(refused);
      await expect(keyOf(id).verify(wrong, Buffer.alloc(64), asDigest)).rejects.toMatchObject(refused);
    }
  });
});

test.each([
  '00'.repeat(64),
  'ff'.repeat(64),
  `${'00'.repeat(32)}${'01'.padStart(64, '0')}`,
  `${'01'.padStart(64, '0')}${'00'.repeat(32)}`,
])('numbers outside of their range are no ECDSA signature: %s', async (numbers) => {
  const options = { messageType: 'digest', format: 'ieee-p1363' } as const;
  expect(await keyOf('ecdsa-p256').verify(digestOf('sha256'), Buffer.from(numbers, 'hex'), options)).toBe(false);
});

test.each([1, 2, 16])(
  'a signature in the encoding of IEEE P1363 has no other spelling: %d zeros before each number',
  async (zeros) => {
    const options = { messageType: 'digest', format: 'ieee-p1363' } as const;
    const signature = await keyOf('ecdsa-p256').sign(digestOf('sha256'), options);
    const padding = Buffer.alloc(zeros);
    const spelt = Buffer.concat([padding, signature.subarray(0, 32), padding, signature.subarray(32)]);
    expect(await keyOf('ecdsa-p256').verify(digestOf('sha256'), spelt, options)).toBe(false);
  },
);

describe('without a hash', () => {
  it.each([
    ['ecdsa-p256', 'sha256'],
    ['ecdsa-p384', 'sha384'],
    ['rsa-2048', 'sha256'],
  ] as const)('the digest of %s is of %s', async (id, name) => {
    const signature = await keyOf(id).sign(digestOf(name), { messageType: 'digest' });
    expect(verify(name, MESSAGE, { key: publicKeyOf(keyOf(id)), ...nodeOptions(id, {}) }, signature)).toBe(true);
  });
});

describe('what signs messages alone', () => {
  it.each([
    ['ed25519', 'Ed25519ph'],
    ['dilithium-2', 'external mu'],
    ['sphincs-sha2-128f-simple', 'HashSLH-DSA'],
  ])('says so of a digest: %s', async (id, named) => {
    const key = await generateSoftwareKey(id);
    const refused = { code: 'BAD_REQUEST', message: expect.stringContaining(named) };
    await expect(key.sign(Buffer.alloc(64), { messageType: 'digest' })).rejects.toMatchObject(refused);
    await expect(key.verify(Buffer.alloc(64), Buffer.alloc(64), { messageType: 'digest' })).rejects.toMatchObject(
      refused,
    );
    await expect(key.sign(MESSAGE, { hash: 'sha512' })).rejects.toMatchObject({
      code: 'BAD_REQUEST',
      message: expect.stringContaining('no choice of a hash'),
    });
    expect(await key.verify(MESSAGE, await key.sign(MESSAGE, { messageType: 'raw' }))).toBe(true);
  });
});

const version = /^OpenSSL (\d+)\./.exec(spawnSync('openssl', ['version'], { encoding: 'utf8' }).stdout ?? '');

/** Whether the command line takes the signature for one over the digest, which it does not hash. */
function opensslAccepts(
  id: string,
  options: SignatureOptions & { readonly hash: SignatureHash },
  signature: Uint8Array,
) {
  const pem = publicKeyOf(keyOf(id)).export({ format: 'pem', type: 'spki' });
  writeFileSync(join(folder, 'key.pem'), pem);
  writeFileSync(join(folder, 'digest'), digestOf(options.hash));
  writeFileSync(join(folder, 'signature'), signature);
  const padding =
    options.scheme === undefined ? [] : [`rsa_padding_mode:${options.scheme === 'pss' ? 'pss' : 'pkcs1'}`];
  const pkeyopt = [...padding, `digest:${options.hash}`].flatMap((each) => ['-pkeyopt', each]);
  const files = ['-inkey', 'key.pem', '-in', 'digest', '-sigfile', 'signature'];
  const run = spawnSync('openssl', ['pkeyutl', '-verify', '-pubin', ...files, ...pkeyopt], {
    cwd: folder,
    encoding: 'utf8',
  });
  if (!/Signature Verified Successfully|Signature Verification Failure/.test(run.stdout + run.stderr))
    throw new Error(`openssl did not answer: ${run.stderr}`);
  return run.status === 0;
}

describe.skipIf(Number(version?.[1] ?? 0) < 3)('the openssl command line, which is given the digest,', () => {
  it.each(CASES.filter(([, { format }]) => format !== 'ieee-p1363'))('accepts %s with %o', async (id, options) => {
    const signature = await keyOf(id).sign(digestOf(options.hash), { ...options, messageType: 'digest' });
    expect(opensslAccepts(id, options, signature)).toBe(true);
    const changed = Buffer.from(signature);
    const last = changed.length - 1;
    changed[last] = (changed[last] ?? 0) ^ 1;
    expect(opensslAccepts(id, options, changed)).toBe(false);
  });
});

test('signatures of digests leave nothing behind that a later call would take for its own error', async () => {
  const key = keyOf('ecdsa-p256');
  const options = { messageType: 'digest' } as const;
  expect(await key.verify(digestOf('sha256'), Buffer.from('no DER'), options)).toBe(false);
  expect(() => createPublicKey('not a key')).toThrow(/PEM|DECODER|unsupported/i);
  expect(verify('sha256', MESSAGE, publicKeyOf(key), await key.sign(digestOf('sha256'), options))).toBe(true);
});

test('a thousand keys that come and go do not disturb one that stays', async () => {
  const stays = keyOf('ecdsa-p256');
  const algorithm = algorithmById('ecdsa-p256');
  for (let at = 0; at < 1000; at += 1) {
    const key = await generateSoftwareKey(algorithm);
    const signature = await key.sign(digestOf('sha256'), { messageType: 'digest' });
    if (at % 100 === 0) {
      expect(await key.verify(MESSAGE, signature)).toBe(true);
      expect(await stays.verify(digestOf('sha256'), signature, { messageType: 'digest' })).toBe(false);
    }
  }
  expect(await stays.verify(MESSAGE, await stays.sign(digestOf('sha256'), { messageType: 'digest' }))).toBe(true);
});

test('short numbers of ECDSA keep their full length in the encoding of IEEE P1363', async () => {
  const key = keyOf('ecdsa-p256');
  const options = { messageType: 'digest', format: 'ieee-p1363' } as const;
  let short = 0;
  // One in 128 has a number that begins with a zero byte: of 2,000, none at all would be one chance in six million.
  for (let at = 0; at < 2000; at += 1) {
    const digest = hash('sha256', Buffer.from(`${at}`), 'buffer');
    const signature = await key.sign(digest, options);
    expect(signature.length).toBe(64);
    if (signature[0] === 0 || signature[32] === 0) {
      short += 1;
      expect(await key.verify(digest, signature, options)).toBe(true);
      expect(await key.verify(Buffer.from(`${at}`), signature, { format: 'ieee-p1363' })).toBe(true);
    }
  }
  expect(short).toBeGreaterThan(0);
});

describe('a Node.js that does not let its OpenSSL be called', () => {
  const source = new URL('../src/engines/software-key.ts', import.meta.url).href;
  const program = `
    import { generateSoftwareKey } from ${JSON.stringify(source)};
    const key = await generateSoftwareKey('ecdsa-p256');
    const data = Buffer.alloc(32);
    console.log(await key.verify(data, await key.sign(data)));
    await key.sign(data, { messageType: 'digest' }).catch(({ code, message }) => console.log(code, message));
  `;

  it.each([['--no-experimental-ffi'], ['--permission', '--allow-fs-read=*']])(
    'signs messages, and says of digests why it does not: %s',
    (...options) => {
      const run = spawnSync(process.execPath, [...options, '--input-type=module', '-e', program], { encoding: 'utf8' });
      expect(run.stdout).toMatch(/^true\nBAD_REQUEST .*messageType.* cannot sign or verify a digest/);
    },
  );
});
