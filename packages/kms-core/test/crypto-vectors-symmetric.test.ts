import { createCipheriv, createDecipheriv, createHash, createSecretKey, hkdfSync } from 'node:crypto';
import { hex, loadVectors, text } from '@qnsp/test-vectors';
import { describe, expect, test } from 'vitest';
import { algorithmById } from '../src/algorithms/resolve.ts';
import { type AeadCipher, openAead, sealAead } from '../src/engines/aead.ts';
import { hkdfOneBlock } from '../src/engines/hkdf-one-block.ts';
import { softwareEngine } from '../src/engines/software-engine.ts';
import { loadMaterial } from '../src/engines/software-material.ts';
import { Xaes256Gcm } from '../src/engines/xaes-256-gcm.ts';
import { deriveKey } from '../src/hierarchy/derive.ts';
import { failure, flipBit } from './crypto-samples.ts';

describe.each([
  ['aes-gcm-specification', null],
  ['aes-gcm-cavp', null],
  ['chacha20-poly1305-rfc8439', 'chacha20-poly1305'],
] as const)('the AEAD gives the answers of %s', (file, fixed) => {
  test.each(loadVectors(file).vectors)('$id', (vector) => {
    const key = hex(vector, 'key');
    const cipher: AeadCipher = fixed ?? (key.length === 16 ? 'aes-128-gcm' : 'aes-256-gcm');
    const sealed = Buffer.concat([hex(vector, 'ciphertext'), hex(vector, 'tag')]);
    const [nonce, aad, plaintext] = [hex(vector, 'nonce'), hex(vector, 'aad'), hex(vector, 'plaintext')];
    expect(Buffer.concat(sealAead(cipher, key, nonce, [aad], plaintext))).toEqual(sealed);
    expect(openAead(cipher, key, nonce, sealed, [aad])).toEqual(plaintext);
    expect(() => openAead(cipher, key, nonce, flipBit(sealed, 0), [aad])).toThrow();
  });
});

const NO_PREFIX = Buffer.alloc(0);

describe('XAES-256-GCM gives the answers of its specification', () => {
  const { vectors } = loadVectors('xaes-256-gcm-c2sp');

  test.each(vectors.filter((vector) => 'sealed' in vector))('$id', (vector) => {
    const [nonce, aad, plaintext] = [hex(vector, 'nonce'), [hex(vector, 'aad')], hex(vector, 'plaintext')];
    const xaes = new Xaes256Gcm(createSecretKey(hex(vector, 'key')), (target, at) => target.set(nonce, at));
    const sealed = Buffer.concat([nonce, hex(vector, 'sealed')]);
    expect(xaes.seal(NO_PREFIX, aad, plaintext)).toEqual(sealed);
    expect(xaes.open(sealed, aad)).toEqual(plaintext);
    expect(xaes.sealAll(NO_PREFIX, [{ plaintext, aad }])).toEqual([sealed]);
    expect(xaes.openAll([{ sealed, aad }])).toEqual([plaintext]);
  });

  test.each(vectors.filter((vector) => 'accumulated' in vector))('$id', (vector) => {
    const iterations = Number(vector['iterations']);
    const stream = createHash('shake128', { outputLength: iterations * 700 }).digest();
    let at = 0;
    const take = (length: number) => stream.subarray(at, (at += length));
    const ciphertexts = createHash('shake128', { outputLength: 32 });
    for (let i = 0; i < iterations; i += 1) {
      const key = createSecretKey(take(32));
      const nonce = take(24);
      const xaes = new Xaes256Gcm(key, (target, nonceAt) => target.set(nonce, nonceAt));
      const plaintext = take(take(1)[0] ?? 0);
      const aad = take(take(1)[0] ?? 0);
      const sealed = xaes.seal(NO_PREFIX, [aad], plaintext);
      ciphertexts.update(sealed.subarray(nonce.length));
      expect(xaes.open(sealed, [aad]).equals(plaintext)).toBe(true);
    }
    expect(at).toBeLessThan(stream.length);
    expect(ciphertexts.digest('hex')).toBe(text(vector, 'accumulated'));
  });
});

describe.each(['hmac-rfc4231', 'hmac-sha3-nist'])('MAC keys give the answers of %s', (file) => {
  test.each(loadVectors(file).vectors)('$id', async (vector) => {
    const algorithm = algorithmById(`hmac-${text(vector, 'digest')}`);
    const engine = softwareEngine(algorithm, loadMaterial(algorithm, hex(vector, 'key')));
    const [message, expected] = [hex(vector, 'message'), hex(vector, 'mac')];
    const mac = await engine.mac?.(message);
    // RFC 4231, test case 5, publishes the first 128 bits only.
    expect(mac?.subarray(0, expected.length)).toEqual(expected);
    expect(await engine.verifyMac?.(message, mac ?? Buffer.alloc(0))).toBe(true);
    expect(await engine.verifyMac?.(message, flipBit(expected, 3))).toBe(false);
    expect(await engine.verifyMac?.(message, expected.subarray(1))).toBe(false);
  });
});

describe('AES-256-CBC of imported keys gives the answers of Wycheproof', () => {
  const algorithm = algorithmById('aes-256-cbc');
  test.each(loadVectors('aes-cbc-pkcs7-wycheproof').vectors)('$id is $valid', (vector) => {
    const engine = softwareEngine(algorithm, loadMaterial(algorithm, hex(vector, 'key')));
    const open = () => engine.openLegacy?.(Buffer.concat([hex(vector, 'iv'), hex(vector, 'ciphertext')]));
    if (vector['valid'] === true) expect(open()).toEqual(hex(vector, 'plaintext'));
    else expect(open).toThrow(failure('DECRYPT_FAILED'));
  });
});

describe.each(['aes-kwp-cavp', 'aes-kwp-rfc5649'])('AES-KWP of the platform gives the answers of %s', (file) => {
  const IV = Buffer.from('A65959A6', 'hex');
  test.each(loadVectors(file).vectors)('$id', (vector) => {
    const [kek, wrapped] = [hex(vector, 'kek'), hex(vector, 'wrapped')];
    const name = `id-aes${kek.length * 8}-wrap-pad`;
    const unwrap = () => createDecipheriv(name, kek, IV).update(wrapped);
    if (vector['valid'] === false) {
      expect(unwrap).toThrow();
      return;
    }
    const key = hex(vector, 'key');
    expect(createCipheriv(name, kek, IV).update(key)).toEqual(wrapped);
    expect(unwrap()).toEqual(key);
  });
});

describe('HKDF', () => {
  test.each(loadVectors('hkdf-rfc5869').vectors)('of the platform gives answer $id of RFC 5869', (vector) => {
    const length = Number(vector['length']);
    const output = hkdfSync('sha256', hex(vector, 'ikm'), hex(vector, 'salt'), hex(vector, 'info'), length);
    expect(Buffer.from(output)).toEqual(hex(vector, 'okm'));
  });

  test('of one block equals HKDF-SHA3-256 of the platform where that can compute it', () => {
    for (const length of [0, 1, 22, 500, 1024]) {
      const [input, info] = [Buffer.alloc(32, length), Buffer.alloc(length, 7)];
      expect(hkdfOneBlock(input, info)).toEqual(Buffer.from(hkdfSync('sha3-256', input, Buffer.alloc(0), info, 32)));
    }
  });

  test('gives each label of the hierarchy another key', () => {
    const key = createSecretKey(Buffer.alloc(32, 1));
    const labels = [
      'root-wrap',
      'root-check-value',
      'tmk-seal',
      'tmk-record-mac',
      'token-pepper',
      'import-token',
    ] as const;
    const keys = labels.map((label) => deriveKey(key, `qnsp-kms/v1/${label}`).export().toString('hex'));
    expect(new Set(keys).size).toBe(labels.length);
    const direct = hkdfSync('sha256', Buffer.alloc(32, 1), Buffer.alloc(0), 'qnsp-kms/v1/tmk-seal', 32);
    expect(keys[2]).toBe(Buffer.from(direct).toString('hex'));
  });
});
