import { randomBytes } from 'node:crypto';
import { softwareRoot } from '../src/index.ts';
import { rootProviderContract } from '../src/testing/index.ts';

rootProviderContract('software root', async () => {
  const key = randomBytes(32);
  return {
    root: softwareRoot('software', key),
    sameRoot: softwareRoot('software', key),
    otherRoot: softwareRoot('software', randomBytes(32)),
    close: async () => {},
  };
});
