import { createHmac, generateKeyPairSync, randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { ALGORITHMS } from '../../src/algorithms/registry.ts';
import { algorithmById } from '../../src/algorithms/resolve.ts';
import { acceptImported } from '../../src/engines/imported-material.ts';
import { softwareEngine } from '../../src/engines/software-engine.ts';
import { loadMaterial } from '../../src/engines/software-material.ts';
import { complete, failure } from '../crypto-samples.ts';

async function engineOf(id: string, secret: Uint8Array) {
  const algorithm = algorithmById(id);
  const taken = await acceptImported(algorithm, secret);
  return complete(softwareEngine(algorithm, loadMaterial(algorithm, taken.secret)));
}

describe.each(ALGORITHMS.filter(({ family }) => family === 'mac'))('a secret for $id', (algorithm) => {
  test('has from 112 bits to 1 KiB, whatever the digest', async () => {
    for (const length of [14, 16, 20, 32, 48, 63, 64, 65, 128, 129, 136, 200, 1024]) {
      const secret = randomBytes(length);
      const expected = createHmac(algorithm.digest ?? '', secret)
        .update('data')
        .digest();
      const engine = await engineOf(algorithm.id, secret);
      expect(Buffer.from(await engine.mac(Buffer.from('data')))).toEqual(expected);
      expect(await engine.verifyMac(Buffer.from('data'), expected)).toBe(true);
    }
    for (const length of [0, 1, 13, 1025, 4096]) {
      const call = acceptImported(algorithm, randomBytes(length));
      await expect(call).rejects.toThrow(failure('BAD_REQUEST'));
      await expect(call).rejects.toThrow(`14 to 1024 bytes, not ${length}`);
    }
  });

  test('is not the container or the PEM file of another key', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const mistakes: readonly (readonly [Buffer | string, RegExp])[] = [
      [privateKey.export({ format: 'der', type: 'pkcs8' }), /container/],
      [publicKey.export({ format: 'der', type: 'spki' }), /container/],
      [privateKey.export({ format: 'pem', type: 'pkcs8' }), /PEM/],
      [publicKey.export({ format: 'pem', type: 'spki' }), /PEM/],
    ];
    for (const [material, rule] of mistakes)
      await expect(acceptImported(algorithm, Buffer.from(material))).rejects.toThrow(rule);
  });
});

test('secrets shorter and longer than the digest give the answers of RFC 4231', async () => {
  // Test cases 4 and 6: keys of 25 and 131 bytes.
  const short = await engineOf('hmac-sha256', Buffer.from(Array.from({ length: 25 }, (_, index) => index + 1)));
  expect(Buffer.from(await short.mac(Buffer.alloc(50, 0xcd))).toString('hex')).toBe(
    '82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b',
  );
  const long = await engineOf('hmac-sha512', Buffer.alloc(131, 0xaa));
  const data = Buffer.from('Test Using Larger Than Block-Size Key - Hash Key First');
  expect(Buffer.from(await long.mac(data)).toString('hex')).toBe(
    '80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598',
  );
});

test.each(ALGORITHMS.filter(({ form, family }) => form.kind === 'secret' && family !== 'mac'))(
  'a secret for $id has its one length',
  async (algorithm) => {
    const bytes = algorithm.form.kind === 'secret' ? algorithm.form.bytes : 0;
    await acceptImported(algorithm, randomBytes(bytes));
    for (const length of [0, 14, bytes - 1, bytes + 1, 1024])
      await expect(acceptImported(algorithm, randomBytes(length))).rejects.toThrow(failure('BAD_REQUEST'));
  },
);

test('a seed for X-Wing has 32 bytes', async () => {
  await acceptImported(algorithmById('x25519-kyber-768'), randomBytes(32));
  for (const length of [0, 31, 33, 64])
    await expect(acceptImported(algorithmById('x25519-kyber-768'), randomBytes(length))).rejects.toThrow(/32 bytes/);
});
