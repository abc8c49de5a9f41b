import fc from 'fast-check';
import { expect } from 'vitest';
import type { Algorithm } from '../../src/algorithms/registry.ts';
import { acceptImported } from '../../src/engines/imported-material.ts';
import { KmsError } from '../../src/errors/kms-error.ts';
import { containersOf, keyIn, pairFor } from './containers.ts';
import { judge } from './judge.ts';
import { apply, edits, inFewestOctets } from './mutations.ts';

/** Octets of a container that are mostly structure. */
const HEAD = 64;

/**
 * Imports containers that were changed: each is refused with 400 and a rule, or what comes of it is a key whose public half
 * another implementation computes as well.
 *
 * @param inBody how many of 100 changes of octets fall anywhere: each costs a signature where the key is all octets
 * @returns how many were refused
 */
export async function importMutants(algorithm: Algorithm, runs: number, inBody: number): Promise<number> {
  const bases = containersOf(algorithm, pairFor(algorithm).privateKey);
  const judged = new Set<string>();
  const look = async (container: Buffer) => {
    const material = await acceptImported(algorithm, container);
    expect(inFewestOctets(container)).toEqual(container);
    const name = `${keyIn(material.secret).export({ format: 'der', type: 'pkcs8' }).toString('hex')} ${Buffer.from(material.publicKey ?? []).toString('hex')}`;
    if (judged.has(name)) return;
    const { found, expected } = judge(algorithm, material);
    expect(found).toBe(expected);
    judged.add(name);
  };
  for (const { der } of bases) await look(Buffer.from(der));
  let refused = 0;
  const property = fc.asyncProperty(fc.constantFrom(...bases), edits(HEAD, inBody), async ({ der }, changes) => {
    try {
      await look(apply(der, changes));
    } catch (error) {
      if (!KmsError.is(error)) throw error;
      expect(error.code).toBe('BAD_REQUEST');
      expect(error.details).toMatchObject({ issues: [{ path: 'wrappedMaterial', reason: expect.any(String) }] });
      refused += 1;
    }
  });
  await fc.assert(property, { numRuns: runs, seed: 20_261 });
  return refused;
}
