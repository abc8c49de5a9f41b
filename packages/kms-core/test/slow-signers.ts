import type { Algorithm } from '../src/algorithms/registry.ts';

/** The one of its kind that every run tries. */
const SAMPLE = 'sphincs-sha2-128s-simple';

/** The small sets of SLH-DSA take up to a second for each signature; `crypto-slow-signers.release.ts` tries them all. */
export function signsSlowly({ id }: Algorithm): boolean {
  return /^sphincs-.*s-simple$/.test(id) && id !== SAMPLE;
}
