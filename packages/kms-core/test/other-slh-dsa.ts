import { createPublicKey } from 'node:crypto';
import * as slhDsa from '@noble/post-quantum/slh-dsa.js';
import { expect } from 'vitest';
import type { Algorithm } from '../src/algorithms/registry.ts';
import { freshKey } from './crypto-samples.ts';

const MESSAGE = Buffer.from('what one implementation signs, the other accepts');
const OTHER = Buffer.from('another message');

/** Another implementation of a set of SLH-DSA. */
export function otherSlhDsa(id: string) {
  const [, hash, set] = /^sphincs-(\w+)-(\w+)-simple$/.exec(id) ?? [];
  const noble: unknown = Reflect.get(slhDsa, `slh_dsa_${hash}_${set}`);
  // The module has one signer of this type for each of the twelve names.
  return noble as typeof slhDsa.slh_dsa_sha2_128f;
}

/** That another implementation verifies what a new key of this set signs, with its context and no other. */
export async function expectVerifiedElsewhere(row: Algorithm): Promise<void> {
  const { engine, publicKey } = await freshKey(row);
  const noble = otherSlhDsa(row.id);
  const context = Buffer.from('qnsp');
  const signature = await engine.sign(MESSAGE, { context });
  const raw = createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'spki' }).export({
    format: 'raw-public',
  });
  expect(noble.verify(signature, MESSAGE, raw, { context })).toBe(true);
  expect(noble.verify(signature, MESSAGE, raw, {})).toBe(false);
  expect(noble.verify(signature, OTHER, raw, { context })).toBe(false);
}
