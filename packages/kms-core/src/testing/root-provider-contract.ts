import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RootProvider } from '../ports/root-provider.ts';

/** Two different roots, and the first of them reopened. */
export interface OpenedRoots {
  readonly root: RootProvider;
  readonly sameRoot: RootProvider;
  readonly otherRoot: RootProvider;
  close(): Promise<void>;
}

/**
 * What every root provider owes, as tests.
 *
 * @example
 * rootProviderContract('software root', async () => ({
 *   root: softwareRoot('a', key), sameRoot: softwareRoot('a', key), otherRoot: softwareRoot('b', other), close: async () => {},
 * }));
 */
export function rootProviderContract(name: string, open: () => Promise<OpenedRoots>): void {
  describe(name, () => {
    let opened: OpenedRoots | undefined;
    const roots = (): OpenedRoots => {
      if (opened === undefined) throw new Error('the roots are not open');
      return opened;
    };
    const aad = Buffer.from('associated data');

    beforeAll(async () => {
      opened = await open();
    });
    afterAll(async () => {
      await opened?.close();
    });

    it('unwraps what it wrapped, also when it was opened anew', async () => {
      const key = randomBytes(32);
      const wrapped = await roots().root.wrap(Buffer.from(key), aad);
      expect(Buffer.from(await roots().root.unwrap(wrapped, aad))).toEqual(key);
      expect(Buffer.from(await roots().sameRoot.unwrap(wrapped, aad))).toEqual(key);
    });

    it('never wraps the same key to the same bytes', async () => {
      const key = randomBytes(32);
      const first = await roots().root.wrap(key, aad);
      expect(Buffer.from(await roots().root.wrap(key, aad))).not.toEqual(Buffer.from(first));
    });

    it('refuses other associated data', async () => {
      const wrapped = await roots().root.wrap(randomBytes(32), aad);
      await expect(roots().root.unwrap(wrapped, Buffer.from('other'))).rejects.toMatchObject({
        code: 'DECRYPT_FAILED',
      });
    });

    it('refuses a changed byte anywhere, and a missing one', async () => {
      const wrapped = await roots().root.wrap(randomBytes(32), aad);
      for (let index = 0; index < wrapped.length; index += 1) {
        const changed = Buffer.from(wrapped);
        changed[index] = (changed[index] ?? 0) ^ 0x80;
        await expect(roots().root.unwrap(changed, aad)).rejects.toMatchObject({ code: 'DECRYPT_FAILED' });
      }
      for (const shorter of [wrapped.subarray(1), wrapped.subarray(0, -1), new Uint8Array()])
        await expect(roots().root.unwrap(shorter, aad)).rejects.toMatchObject({ code: 'DECRYPT_FAILED' });
    });

    it('does not unwrap what another root wrapped', async () => {
      const wrapped = await roots().otherRoot.wrap(randomBytes(32), aad);
      await expect(roots().root.unwrap(wrapped, aad)).rejects.toMatchObject({ code: 'DECRYPT_FAILED' });
    });

    it('has a check value that is its own and stays', async () => {
      const checkValue = await roots().root.checkValue();
      expect(checkValue).toMatch(/^[0-9a-f]{16}$/);
      await expect(roots().root.checkValue()).resolves.toBe(checkValue);
      await expect(roots().sameRoot.checkValue()).resolves.toBe(checkValue);
      await expect(roots().otherRoot.checkValue()).resolves.not.toBe(checkValue);
    });
  });
}
