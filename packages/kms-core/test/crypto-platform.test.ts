import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  generateKeyPairSync,
  hkdfSync,
  sign,
  verify,
} from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { ALGORITHMS } from '../src/algorithms/registry.ts';
import { algorithmById } from '../src/algorithms/resolve.ts';
import { openAead, sealAead } from '../src/engines/aead.ts';
import type { KeyEngine } from '../src/engines/engine.ts';
import { acceptImported } from '../src/engines/imported-material.ts';
import { complete, failure, flipBit, freshKey } from './crypto-samples.ts';

const DECRYPT_FAILED = failure('DECRYPT_FAILED');
const BAD_REQUEST = failure('BAD_REQUEST');
const KEY = Buffer.alloc(32, 3);
const MESSAGE = Buffer.from('message');
const KWP_IV = Buffer.from('A65959A6', 'hex');

describe('AES-KWP', () => {
  const unwrap = (wrapped: Uint8Array) => createDecipheriv('id-aes256-wrap-pad', KEY, KWP_IV).update(wrapped);

  test('of the platform takes an empty ciphertext for an empty key: lengths must be checked around it', () => {
    expect(unwrap(Buffer.alloc(0))).toHaveLength(0);
  });

  test('takes a single update and refuses a changed ciphertext', () => {
    const wrapped = createCipheriv('id-aes256-wrap-pad', KEY, KWP_IV).update(Buffer.alloc(20, 1));
    expect(unwrap(wrapped)).toEqual(Buffer.alloc(20, 1));
    for (let bit = 0; bit < wrapped.length * 8; bit += 1) expect(() => unwrap(flipBit(wrapped, bit))).toThrow();
  });

  test('of an empty key is refused where material is accepted', async () => {
    for (const row of ALGORITHMS) await expect(acceptImported(row, Buffer.alloc(0))).rejects.toThrow(BAD_REQUEST);
  });
});

describe('GCM', () => {
  const nonce = Buffer.alloc(12, 1);
  const [body, tag] = sealAead('aes-256-gcm', KEY, nonce, [], MESSAGE);

  test('of the platform hands out plaintext before the tag is checked; ours does not', () => {
    const decryption = createDecipheriv('aes-256-gcm', KEY, nonce, { authTagLength: 16 });
    decryption.setAuthTag(flipBit(tag, 0));
    expect(decryption.update(body)).toEqual(MESSAGE);
    expect(() => decryption.final()).toThrow();
    expect(() => openAead('aes-256-gcm', KEY, nonce, Buffer.concat([body, flipBit(tag, 0)]), [])).toThrow(
      DECRYPT_FAILED,
    );
  });

  test('of the platform takes an IV of another length; ours opens with 12 bytes only', () => {
    for (const length of [1, 8, 11, 13, 16]) {
      const iv = Buffer.alloc(length, 1);
      const encryption = createCipheriv('aes-256-gcm', KEY, iv, { authTagLength: 16 });
      const sealed = Buffer.concat([encryption.update(MESSAGE), encryption.final(), encryption.getAuthTag()]);
      expect(() => openAead('aes-256-gcm', KEY, iv, sealed, [])).toThrow(DECRYPT_FAILED);
    }
  });

  test('opens nothing with a shortened tag', () => {
    for (let length = 0; length < 16; length += 1) {
      const shortened = Buffer.concat([body, tag.subarray(0, length)]);
      expect(() => openAead('aes-256-gcm', KEY, nonce, shortened, [])).toThrow(DECRYPT_FAILED);
    }
  });
});

describe('KEM', () => {
  const rows = ALGORITHMS.filter((row) => row.family === 'ml-kem' || row.family === 'hybrid-kem');

  test.each(rows)(
    '$id gives another secret for a tampered ciphertext, not an error, and always the same',
    async (row) => {
      const { engine } = await freshKey(row);
      const { ciphertext, sharedSecret } = await engine.encapsulate();
      const tampered = flipBit(ciphertext, 77);
      const wrong = Buffer.from(await engine.decapsulate(tampered));
      expect(wrong).toHaveLength(32);
      expect(wrong.equals(sharedSecret)).toBe(false);
      expect(Buffer.from(await engine.decapsulate(tampered))).toEqual(wrong);
    },
  );

  test.each(rows)('$id refuses a ciphertext of another length', async (row) => {
    const { engine } = await freshKey(row);
    const { ciphertext } = await engine.encapsulate();
    for (const bad of [ciphertext.subarray(1), Buffer.concat([ciphertext, Buffer.of(0)]), Buffer.alloc(0)]) {
      await expect(async () => engine.decapsulate(bad)).rejects.toThrow(DECRYPT_FAILED);
    }
  });

  test('X-Wing refuses an X25519 point of small order', async () => {
    const { engine } = await freshKey(algorithmById('x25519-kyber-768'));
    const { ciphertext } = await engine.encapsulate();
    const zero = Buffer.concat([ciphertext.subarray(0, 1088), Buffer.alloc(32)]);
    await expect(async () => engine.decapsulate(zero)).rejects.toThrow(DECRYPT_FAILED);
  });

  test('HKDF of the platform takes no info as long as a KEM ciphertext', () => {
    expect(() => hkdfSync('sha3-256', KEY, Buffer.alloc(0), Buffer.alloc(1088), 32)).toThrow('info');
  });
});

describe('signatures', () => {
  const context = Buffer.from('context');

  test('a context turns Ed25519 of the platform into another scheme; ours refuses it', async () => {
    const { material, engine } = await freshKey(algorithmById('ed25519'));
    const other = sign(null, MESSAGE, { key: material.key, context });
    expect(verify(null, MESSAGE, createPublicKey(material.key), other)).toBe(false);
    await expect(async () => engine.sign(MESSAGE, { context })).rejects.toThrow(BAD_REQUEST);
    await expect(async () => engine.verify(MESSAGE, other, { context })).rejects.toThrow(BAD_REQUEST);
  });

  test.each(['ecdsa-p256', 'ecdsa-p384', 'rsa-2048', 'ed25519'])('%s refuses a context', async (id) => {
    const { engine } = await freshKey(algorithmById(id));
    await expect(async () => engine.sign(MESSAGE, { context })).rejects.toThrow(BAD_REQUEST);
  });

  test('ML-DSA and SLH-DSA refuse a context of 256 bytes', async () => {
    for (const id of ['dilithium-2', 'sphincs-sha2-128f-simple']) {
      const { engine } = await freshKey(algorithmById(id));
      await expect(async () => engine.sign(MESSAGE, { context: Buffer.alloc(256) })).rejects.toThrow(BAD_REQUEST);
      expect(await engine.verify(MESSAGE, await engine.sign(MESSAGE, { context: Buffer.alloc(255) }), {})).toBe(false);
    }
  });

  test('options that belong to another family are refused, not ignored', async () => {
    const { engine: mlDsa } = await freshKey(algorithmById('dilithium-2'));
    const { engine: ecdsa } = await freshKey(algorithmById('ecdsa-p256'));
    await expect(async () => mlDsa.sign(MESSAGE, { format: 'der' })).rejects.toThrow(BAD_REQUEST);
    await expect(async () => mlDsa.sign(MESSAGE, { scheme: 'pss' })).rejects.toThrow(BAD_REQUEST);
    await expect(async () => ecdsa.sign(MESSAGE, { scheme: 'pss' })).rejects.toThrow(BAD_REQUEST);
  });

  test.each(['dilithium-2', 'dilithium-3', 'dilithium-5', 'sphincs-sha2-128f-simple'])(
    '%s signs hedged: two signatures of one message differ, and both verify',
    async (id) => {
      const { engine } = await freshKey(algorithmById(id));
      const [one, two] = [await engine.sign(MESSAGE, {}), await engine.sign(MESSAGE, {})];
      expect(Buffer.from(one).equals(two)).toBe(false);
      for (const signature of [one, two]) expect(await engine.verify(MESSAGE, signature, {})).toBe(true);
    },
  );

  test('an empty signature, or one of another length, is wrong and not an error', async () => {
    for (const id of ['ed25519', 'ecdsa-p256', 'rsa-2048', 'dilithium-2', 'sphincs-sha2-128f-simple']) {
      const { engine } = await freshKey(algorithmById(id));
      const signature = await engine.sign(MESSAGE, {});
      for (const bad of [Buffer.alloc(0), signature.subarray(1), Buffer.concat([signature, Buffer.of(0)])]) {
        expect(await engine.verify(MESSAGE, bad, {})).toBe(false);
      }
    }
  });

  // One of 256 begins with a zero, which OpenSSL does without when it verifies PSS.
  test.each(['pss', 'pkcs1-v1_5'] as const)(
    'an RSA signature (%s) without its leading zero, or with one more, is wrong',
    async (scheme) => {
      const { engine } = await freshKey(algorithmById('rsa-2048'));
      const { message, signature } = await signatureThatBeginsWithZero(engine, scheme);
      expect(await engine.verify(message, signature, { scheme })).toBe(true);
      expect(await engine.verify(message, signature.subarray(1), { scheme })).toBe(false);
      expect(await engine.verify(message, Buffer.concat([Buffer.of(0), signature]), { scheme })).toBe(false);
    },
  );
});

async function signatureThatBeginsWithZero(
  engine: Required<KeyEngine>,
  scheme: 'pss' | 'pkcs1-v1_5',
): Promise<{ message: Buffer; signature: Uint8Array }> {
  for (let count = 0; ; count += 1) {
    const message = Buffer.from(`message ${count}`);
    const signature = await engine.sign(message, { scheme });
    if (signature[0] === 0) return { message, signature };
  }
}

describe('raw keys', () => {
  test.each([
    ['ml-dsa-65', 'raw-seed'],
    ['ml-kem-768', 'raw-seed'],
    ['slh-dsa-sha2-128f', 'raw-private'],
    ['ed25519', 'raw-private'],
    ['x25519', 'raw-private'],
  ] as const)('%s goes out and comes back as %s and raw-public', (type, format) => {
    // The types of Node name each pair of type and format alone; at run time they are one call.
    const { privateKey, publicKey } = generateKeyPairSync(type as 'ed25519');
    const options = {
      key: privateKey.export({ format: format as 'raw-private' }),
      format: format as 'raw-private',
      asymmetricKeyType: type as 'ed25519',
    };
    expect(createPublicKey(createPrivateKey(options)).equals(publicKey)).toBe(true);
    const raw = publicKey.export({ format: 'raw-public' });
    const again = createPublicKey({ key: raw, format: 'raw-public', asymmetricKeyType: type as 'ed25519' });
    expect(again.equals(publicKey)).toBe(true);
  });
});

describe('EC keys with explicit parameters', () => {
  const explicit = generateKeyPairSync('ec', { namedCurve: 'prime256v1', paramEncoding: 'explicit' });

  test('are taken by the platform, which names their curve all the same', () => {
    const spki = explicit.publicKey.export({ format: 'der', type: 'spki' });
    const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
    expect(key.asymmetricKeyDetails?.namedCurve).toBe('prime256v1');
  });

  test.each(['ecdsa-p256', 'ecdh-p256'])('are refused as imported material of %s', async (id) => {
    const material = explicit.privateKey.export({ format: 'der', type: 'pkcs8' });
    await expect(acceptImported(algorithmById(id), material)).rejects.toThrow(BAD_REQUEST);
  });

  test('are refused as the peer of a key agreement, as are keys of another curve or type', async () => {
    const { engine } = await freshKey(algorithmById('ecdh-p256'));
    const peers = [
      explicit.publicKey,
      generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).publicKey,
      generateKeyPairSync('x25519').publicKey,
    ];
    for (const peer of peers) {
      const spki = peer.export({ format: 'der', type: 'spki' });
      await expect(async () => complete(engine).agree(spki)).rejects.toThrow(BAD_REQUEST);
    }
    await expect(async () => engine.agree(Buffer.from('no key'))).rejects.toThrow(BAD_REQUEST);
  });

  test('X25519 refuses a peer of small order', async () => {
    const { engine } = await freshKey(algorithmById('x25519'));
    const zero = createPublicKey({ key: Buffer.alloc(32), format: 'raw-public', asymmetricKeyType: 'x25519' });
    await expect(async () => engine.agree(zero.export({ format: 'der', type: 'spki' }))).rejects.toThrow(BAD_REQUEST);
  });
});

test('a secret key object keeps its own copy, so that the caller may wipe the bytes', () => {
  const bytes = Buffer.alloc(32, 5);
  const key = createSecretKey(bytes);
  bytes.fill(0);
  expect(key.export()).toEqual(Buffer.alloc(32, 5));
});
