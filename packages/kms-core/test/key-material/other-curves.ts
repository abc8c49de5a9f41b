import { p256, p384, p521 } from '@noble/curves/nist.js';
import type { CurveEncoding } from '../../src/algorithms/key-encodings.ts';

/** The curves as another implementation has them. Complete by its type: no curve may be taken for another one. */
export const OTHER_CURVES = {
  prime256v1: p256,
  secp384r1: p384,
  secp521r1: p521,
} satisfies Record<CurveEncoding['namedCurve'], unknown>;
