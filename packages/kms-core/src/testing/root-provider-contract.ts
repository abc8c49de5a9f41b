import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type Contract, contractOf } from './contract.ts';
import type { RootProvider } from '../ports/root-provider.ts';

/** Two different roots, and the first of them reopened. */
export interface OpenedRoots {
  readonly root: RootProvider;
  readonly sameRoot: RootProvider;
  readonly otherRoot: RootProvider;
  close(): Promise<void>;
}

/**
 * What every root provider owes.
 *
 * @example
 * import { randomBytes } from 'node:crypto';
 * import { softwareRoot } from '@qnsp/kms-core';
 * import { brokenRules, rootProviderContract } from '@qnsp/kms-core/testing';
 * const [key, other] = [randomBytes(32), randomBytes(32)];
 * const contract = rootProviderContract('software root', async () => ({
 *   root: softwareRoot('a', key),
 *   sameRoot: softwareRoot('a', key),
 *   otherRoot: softwareRoot('b', other),
 *   close: async () => {},
 * }));
 * console.log(await brokenRules(contract)); // []
 */
export function rootProviderContract(name: string, open: () => Promise<OpenedRoots>): Contract {
  return contractOf(name, open, ({ it }, roots) => {
    const aad = Buffer.from('associated data');

    it('unwraps what it wrapped, also when it was opened anew', async () => {
      const key = randomBytes(32);
      const wrapped = await roots().root.wrap(Buffer.from(key), aad);
      assert.deepEqual(Buffer.from(await roots().root.unwrap(wrapped, aad)), key);
      assert.deepEqual(Buffer.from(await roots().sameRoot.unwrap(wrapped, aad)), key);
    });

    it('never wraps the same key to the same bytes', async () => {
      const key = randomBytes(32);
      const first = await roots().root.wrap(key, aad);
      assert.notDeepEqual(Buffer.from(await roots().root.wrap(key, aad)), Buffer.from(first));
    });

    it('refuses other associated data', async () => {
      const wrapped = await roots().root.wrap(randomBytes(32), aad);
      await assert.rejects(roots().root.unwrap(wrapped, Buffer.from('other')), {
        code: 'DECRYPT_FAILED',
      });
    });

    it('refuses a changed byte anywhere, and a missing one', async () => {
      const wrapped = await roots().root.wrap(randomBytes(32), aad);
      for (let index = 0; index < wrapped.length; index += 1) {
        const changed = Buffer.from(wrapped);
        changed[index] = (changed[index] ?? 0) ^ 0x80;
        await assert.rejects(roots().root.unwrap(changed, aad), { code: 'DECRYPT_FAILED' });
      }
      for (const shorter of [wrapped.subarray(1), wrapped.subarray(0, -1), new Uint8Array()])
        await assert.rejects(roots().root.unwrap(shorter, aad), { code: 'DECRYPT_FAILED' });
    });

    it('does not unwrap what another root wrapped', async () => {
      const wrapped = await roots().otherRoot.wrap(randomBytes(32), aad);
      await assert.rejects(roots().root.unwrap(wrapped, aad), { code: 'DECRYPT_FAILED' });
    });

    it('has a check value that is its own and stays', async () => {
      const checkValue = await roots().root.checkValue();
      assert.match(checkValue, /^[0-9a-f]{16}$/);
      assert.equal(await roots().root.checkValue(), checkValue);
      assert.equal(await roots().sameRoot.checkValue(), checkValue);
      assert.notEqual(await roots().otherRoot.checkValue(), checkValue);
    });
  });
}
