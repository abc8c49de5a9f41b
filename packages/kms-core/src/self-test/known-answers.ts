import { CLASSICAL_ANSWERS } from './classical-answers.ts';
import type { KnownAnswer } from './known-answer.ts';
import { LATTICE_ANSWERS } from './lattice-answers.ts';
import { SLH_DSA_SHA2_ANSWERS } from './slh-dsa-sha2-answers.ts';
import { SLH_DSA_SHAKE_ANSWERS } from './slh-dsa-shake-answers.ts';

export type { KnownAnswer } from './known-answer.ts';

/** One published answer for every algorithm of the registry. */
export const KNOWN_ANSWERS: readonly KnownAnswer[] = [
  ...CLASSICAL_ANSWERS,
  ...LATTICE_ANSWERS,
  ...SLH_DSA_SHA2_ANSWERS,
  ...SLH_DSA_SHAKE_ANSWERS,
];
