import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { ALGORITHMS, PURPOSE_OPERATIONS } from '../src/algorithms/registry.ts';
import { generateSoftwareKey, importSoftwareKey, loadSoftwareKey } from '../src/engines/software-key.ts';

const data = Buffer.from('attack at dawn');

describe.each(ALGORITHMS.filter(({ importOnly, family }) => !importOnly && family !== 'slh-dsa'))(
  '$id',
  (algorithm) => {
    test('is made, given out and loaded without a store, and is the same key then', { timeout: 600_000 }, async () => {
      const made = await generateSoftwareKey(algorithm);
      const secret = made.secret();
      const loaded = loadSoftwareKey(algorithm.standardName, secret);
      if (algorithm.form.kind !== 'x-wing') expect(loaded.publicKey).toEqual(made.publicKey);
      const can = new Set(algorithm.purposes.flatMap((purpose) => PURPOSE_OPERATIONS[purpose]));
      if (algorithm.suite !== undefined) {
        const sealed = await made.encrypt(data, { order: '7' });
        expect(await loaded.decrypt(sealed, { order: '7' })).toEqual(data);
        await expect(loaded.decrypt(sealed)).rejects.toMatchObject({ code: 'DECRYPT_FAILED' });
      } else await expect(made.encrypt(data)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
      if (can.has('sign')) expect(await loaded.verify(data, await made.sign(data))).toBe(true);
      else await expect(made.sign(data)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
      if (can.has('mac')) expect(await loaded.verifyMac(data, await made.mac(data))).toBe(true);
      else await expect(made.mac(data)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
      if (can.has('encapsulate')) {
        const { sharedSecret, ciphertext } = await made.encapsulate();
        expect(await loaded.decapsulate(ciphertext)).toEqual(sharedSecret);
      } else await expect(made.encapsulate()).rejects.toMatchObject({ code: 'BAD_REQUEST' });
      made.wipe();
      expect(made.secret().every((byte) => byte === 0)).toBe(true);
      expect(secret.some((byte) => byte !== 0)).toBe(true);
    });
  },
);

test('what is not a sound key of the algorithm is not taken in', async () => {
  await expect(importSoftwareKey('AES-256-GCM', randomBytes(16))).rejects.toThrow();
  const key = await importSoftwareKey('AES-256-GCM', randomBytes(32));
  expect(await key.decrypt(await key.encrypt(data))).toEqual(data);
});

test('a key that can only be imported is not made', async () => {
  const [imported] = ALGORITHMS.filter(({ importOnly }) => importOnly);
  await expect(generateSoftwareKey(imported?.id ?? '')).rejects.toMatchObject({ code: 'BAD_REQUEST' });
});
