import { randomBytes } from 'node:crypto';
import * as vitest from 'vitest';
import { softwareRoot } from '../src/exports/internal.ts';
import { declareContract, rootProviderContract } from '../src/testing/index.ts';

declareContract(
  rootProviderContract('software root', async () => {
    const key = randomBytes(32);
    return {
      root: softwareRoot('software', key),
      sameRoot: softwareRoot('software', key),
      otherRoot: softwareRoot('software', randomBytes(32)),
      close: async () => {},
    };
  }),
  vitest,
);
