import type { Algorithm } from '@qnsp/kms-core';

/** The curves of the registry. */
type Curve = Extract<Algorithm['form'], { readonly kind: 'ec' }>['namedCurve'];

/** What tokens and keys say of a curve. Complete by its type. */
export const CURVES: Readonly<Record<Curve, CurveFacts>> = {
  prime256v1: { parameters: Buffer.from('06082a8648ce3d030107', 'hex'), coordinateBytes: 32, jwkName: 'P-256' },
  secp384r1: { parameters: Buffer.from('06052b81040022', 'hex'), coordinateBytes: 48, jwkName: 'P-384' },
};

interface CurveFacts {
  /** DER of its object identifier (SEC 2, appendix A), as CKA_EC_PARAMS has it. */
  readonly parameters: Buffer;
  readonly coordinateBytes: number;
  /** RFC 7518, section 6.2.1.1. */
  readonly jwkName: string;
}
