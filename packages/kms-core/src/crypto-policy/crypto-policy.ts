import type { AlgorithmId } from '../algorithms/algorithm-id.ts';

/** What a crypto policy judges: making key material, protecting something new with it, and processing what it protected earlier. */
export const CRYPTO_ACTS = ['create', 'protect', 'process'] as const;
/** One of `CRYPTO_ACTS`. */
export type CryptoAct = (typeof CRYPTO_ACTS)[number];

/**
 * What a policy says about an act: `allowed`; `discouraged`, which is done, but violates the policy; `refused`; or `until` a time, in
 * milliseconds since 1970, up to which it is discouraged and from which on it is refused.
 */
export type Ruling = 'allowed' | 'discouraged' | 'refused' | { readonly until: number };

/** What a policy says about keys of one algorithm. */
export interface AlgorithmRule extends Readonly<Record<CryptoAct, Ruling>> {
  /** Where the source says so. */
  readonly source: string;
}

/** A document that a policy follows. */
export interface PolicySource {
  readonly document: string;
  readonly version: string;
  readonly url?: string;
}

/** Which algorithms a deployment may use, and until when. */
export interface CryptoPolicy {
  readonly name: string;
  readonly sources: readonly PolicySource[];
  /** Every algorithm that the policy names. */
  readonly rules: ReadonlyMap<AlgorithmId, AlgorithmRule>;
  /** What holds for all others. */
  readonly otherwise: AlgorithmRule;
}
