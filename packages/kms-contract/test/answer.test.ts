import { describe, expect, it } from 'vitest';
import { EXAMPLE, EXAMPLE_KEY } from '../src/answers/examples.ts';
import { decodeAnswer, encodeAnswer, ROUTES } from '../src/index.ts';

const { keyId } = EXAMPLE;

describe('answers', () => {
  it('write bytes as base64 and read them back', () => {
    const answer = { ciphertext: new Uint8Array([255, 239]), keyId, keyVersion: 1, algorithm: 'aes-256-gcm' };
    const json = encodeAnswer(ROUTES.encrypt, answer);
    expect(json).toEqual({ ...answer, ciphertext: '/+8=' });
    expect(Buffer.from(decodeAnswer(ROUTES.encrypt, json).ciphertext)).toEqual(Buffer.from([255, 239]));
  });

  it('let nothing out that the contract does not name', () => {
    const answer = {
      dataKey: new Uint8Array(2),
      keyId,
      keyVersion: 1,
      privateKey: 'secret',
      material: new Uint8Array(32),
    };
    expect(encodeAnswer(ROUTES.unwrap, answer)).toEqual({ dataKey: 'AAA=', keyId, keyVersion: 1 });
    const key = { ...EXAMPLE_KEY, mac: 'tag', versions: [{ ...EXAMPLE_KEY.versions[0], material: 'sealed' }] };
    expect(encodeAnswer(ROUTES.getKey, key)).toEqual(EXAMPLE_KEY);
  });

  it('do not leave when the contract does not allow them, and then show nothing', () => {
    const wrong = { plaintext: 'secret', keyId, keyVersion: 1 } as unknown as {
      plaintext: Uint8Array;
      keyId: string;
      keyVersion: number;
    };
    const attempt = () => encodeAnswer(ROUTES.decrypt, wrong);
    expect(attempt).toThrow(expect.objectContaining({ code: 'INTERNAL_ERROR', details: undefined }));
    expect(attempt).not.toThrow('secret');
  });

  it('of newer services are read without what is new', () => {
    const json = { ...EXAMPLE_KEY, region: 'eu', rotation: { ...EXAMPLE_KEY.rotation, jitter: 'P1D' } };
    expect(decodeAnswer(ROUTES.getKey, json)).toEqual(EXAMPLE_KEY);
  });

  it('leave an absent data key absent', () => {
    const answer = {
      wrappedKey: new Uint8Array(3),
      keyId,
      keyVersion: 1,
      algorithm: 'aes-256-gcm',
      provider: 'software',
    };
    expect(encodeAnswer(ROUTES.createDataKey, answer)).not.toHaveProperty('dataKey');
  });
});
