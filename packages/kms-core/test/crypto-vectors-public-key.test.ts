import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { hex, loadVectors, text, type Vector } from '@qnsp/test-vectors';
import { describe, expect, test } from 'vitest';
import { algorithmById } from '../src/algorithms/resolve.ts';
import { signatureEngine } from '../src/engines/signature-engine.ts';
import { softwareEngine } from '../src/engines/software-engine.ts';
import { complete, flipBit } from './crypto-samples.ts';

const base64url = (bytes: Buffer) => bytes.toString('base64url');

function rsaPublicKey(vector: Vector): KeyObject {
  const jwk = { kty: 'RSA', n: base64url(hex(vector, 'n')), e: base64url(hex(vector, 'e')) };
  return createPublicKey({ format: 'jwk', key: jwk });
}

describe('Ed25519 gives the answers of RFC 8032', () => {
  const algorithm = algorithmById('ed25519');
  test.each(loadVectors('ed25519-rfc8032').vectors)('$id', async (vector) => {
    const key = createPrivateKey({
      key: hex(vector, 'secretKey'),
      format: 'raw-private',
      asymmetricKeyType: 'ed25519',
    });
    const publicKey = createPublicKey(key);
    expect(publicKey.export({ format: 'raw-public' })).toEqual(hex(vector, 'publicKey'));
    const engine = signatureEngine(algorithm, key, publicKey);
    const [message, signature] = [hex(vector, 'message'), hex(vector, 'signature')];
    expect(await engine.sign(message, {})).toEqual(signature);
    expect(await engine.verify(message, signature, {})).toBe(true);
    expect(await engine.verify(message, flipBit(signature, 7), {})).toBe(false);
  });
});

describe('ECDSA accepts the signatures of RFC 6979', () => {
  test.each(loadVectors('ecdsa-rfc6979').vectors)('$id', async (vector) => {
    const algorithm = algorithmById(`ecdsa-${text(vector, 'curve').toLowerCase().replace('-', '')}`);
    const privateKey = createPrivateKey({ key: hex(vector, 'privateKeyPkcs8'), format: 'der', type: 'pkcs8' });
    const publicKey = createPublicKey({ key: hex(vector, 'publicKeySpki'), format: 'der', type: 'spki' });
    expect(createPublicKey(privateKey).equals(publicKey)).toBe(true);
    const engine = signatureEngine(algorithm, privateKey, publicKey);
    const [message, signature] = [hex(vector, 'message'), hex(vector, 'signature')];
    expect(await engine.verify(message, signature, {})).toBe(true);
    expect(await engine.verify(message, signature, { format: 'der' })).toBe(true);
    expect(await engine.verify(message, signature, { format: 'ieee-p1363' })).toBe(false);
    expect(await engine.verify(flipBit(message, 0), signature, {})).toBe(false);
    expect(await engine.verify(message, flipBit(signature, signature.length * 8 - 1), {})).toBe(false);
  });
});

describe('RSA with PKCS #1 v1.5 gives the verdicts of the NIST CAVP', () => {
  test.each(loadVectors('rsa-pkcs1-v1_5-cavp').vectors)('$id: $result', async (vector) => {
    const publicKey = rsaPublicKey(vector);
    const algorithm = algorithmById(`rsa-${String(vector['modulusBits'])}`);
    const engine = signatureEngine(algorithm, publicKey, publicKey);
    const [message, signature] = [hex(vector, 'message'), hex(vector, 'signature')];
    const valid = text(vector, 'result').startsWith('P');
    expect(await engine.verify(message, signature, { scheme: 'pkcs1-v1_5' })).toBe(valid);
    expect(await engine.verify(message, signature, { scheme: 'pss' })).toBe(false);
    expect(await engine.verify(message, signature, {})).toBe(false);
  });
});

describe('RSA-PSS accepts the signatures of Wycheproof', () => {
  test.each(loadVectors('rsa-pss-wycheproof').vectors)('$id', async (vector) => {
    const publicKey = rsaPublicKey(vector);
    const engine = signatureEngine(algorithmById('rsa-4096'), publicKey, publicKey);
    const [message, signature] = [hex(vector, 'message'), hex(vector, 'signature')];
    expect(await engine.verify(message, signature, {})).toBe(true);
    expect(await engine.verify(message, signature, { scheme: 'pss' })).toBe(true);
    expect(await engine.verify(message, signature, { scheme: 'pkcs1-v1_5' })).toBe(false);
    expect(await engine.verify(message, flipBit(signature, 100), {})).toBe(false);
  });
});

describe('X25519 gives the answers of RFC 7748', () => {
  test.each(loadVectors('x25519-rfc7748').vectors)('$id', async (vector) => {
    const key = createPrivateKey({ key: hex(vector, 'scalar'), format: 'raw-private', asymmetricKeyType: 'x25519' });
    const peer = createPublicKey({ key: hex(vector, 'u'), format: 'raw-public', asymmetricKeyType: 'x25519' });
    const engine = complete(softwareEngine(algorithmById('x25519'), { key, publicKey: createPublicKey(key) }));
    expect(await engine.agree(peer.export({ format: 'der', type: 'spki' }))).toEqual(hex(vector, 'output'));
  });
});

describe('ECDH with P-256 gives the verdicts of the NIST CAVP', () => {
  const point = (vector: Vector, x: string, y: string) => ({
    kty: 'EC',
    crv: 'P-256',
    x: base64url(hex(vector, x)),
    y: base64url(hex(vector, y)),
  });

  test.each(loadVectors('ecdh-p256-cavp').vectors)('$id: $result', async (vector) => {
    const secret = { ...point(vector, 'publicKeyX', 'publicKeyY'), d: base64url(hex(vector, 'privateKey')) };
    const agree = async () => {
      const key = createPrivateKey({ format: 'jwk', key: secret });
      const spki = Buffer.concat([P256_SPKI_PREFIX, hex(vector, 'peerX'), hex(vector, 'peerY')]);
      const engine = complete(softwareEngine(algorithmById('ecdh-p256'), { key, publicKey: createPublicKey(key) }));
      return engine.agree(spki);
    };
    // An invalid point or key is refused; a changed secret is noticed because it differs from the computed one.
    const computed = await agree().catch(() => undefined);
    const matches = computed !== undefined && Buffer.from(computed).equals(hex(vector, 'sharedSecret'));
    expect(matches).toBe(text(vector, 'result').startsWith('P'));
  });
});

/** SubjectPublicKeyInfo of an uncompressed P-256 point (RFC 5480) before its coordinates. */
const P256_SPKI_PREFIX = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d03010703420004', 'hex');
