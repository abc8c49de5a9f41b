import type { KeyVersionRecord } from './key.ts';
import type { Algorithm, Suite } from '../algorithms/registry.ts';
import { algorithmById } from '../algorithms/resolve.ts';

/** How the ciphertexts of one version are made. */
export interface VersionCipher {
  readonly suite: Suite | undefined;
  /** The number of messages that the version may protect, where there is a bound. */
  readonly messageBudget: number | undefined;
}

/** The one place that knows by what the ciphertexts of a version are made: its algorithm, and where its material is. */
export function cipherOf(version: Pick<KeyVersionRecord, 'algorithm' | 'material'>): VersionCipher {
  const algorithm: Algorithm = algorithmById(version.algorithm);
  const { suite, messageBudget } =
    version.material.kind === 'resident' && algorithm.resident !== undefined ? algorithm.resident : algorithm;
  return { suite, messageBudget };
}
