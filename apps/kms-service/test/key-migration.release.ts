import { expect, test } from 'vitest';
import { migrateUnderLoad } from './key-migration.ts';

test('200 keys of all kinds are moved to post-quantum algorithms without a failed call, though a node is killed', {
  timeout: 900_000,
}, async () => {
  const { keys, calls } = await migrateUnderLoad({
    Ed25519: 70,
    'ECDSA-P256': 50,
    'ECDSA-P384': 30,
    'RSA-2048': 5,
    'AES-128-GCM': 20,
    'AES-256-GCM': 20,
    X25519: 5,
  });
  expect(keys).toBe(200);
  expect(calls).toBeGreaterThan(0);
});
