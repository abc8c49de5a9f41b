import { describe, expect, test } from 'vitest';
import { ALGORITHMS } from '../src/algorithms/registry.ts';
import { checkedSecret } from './generated-material.ts';
import { expectVerifiedElsewhere } from './other-slh-dsa.ts';
import { signsSlowly } from './slow-signers.ts';

describe.each(ALGORITHMS.filter(signsSlowly))('$id', { timeout: 600_000 }, (algorithm) => {
  test('makes different keys that load and pass their pairwise test', async () => {
    const secrets = await Promise.all([checkedSecret(algorithm), checkedSecret(algorithm)]);
    expect(new Set(secrets).size).toBe(secrets.length);
  });

  test('is verified by another implementation, with and without context', () => expectVerifiedElsewhere(algorithm));
});
