import type { EvidenceEpoch } from '../model/chain.ts';
import type { EvidenceStore } from './evidence-store.ts';
import type { EvidenceTrail } from './evidence-trail.ts';

/** The evidence of one KMS, while it is kept. */
export interface RunningEvidence {
  /** Takes what operations leave. */
  readonly trail: EvidenceTrail;
  /**
   * Begins to seal and deliver what was left, as soon as this process may serve; absent where the application begins itself.
   *
   * @param epoch the epoch of the database; `null` if it has had only one
   */
  begin?(epoch: EvidenceEpoch | null): void;
  /** Ends when all evidence that was given is durable. */
  close(): Promise<void>;
}

/** Begins to keep evidence in the store that belongs to a KMS. */
export type KeepEvidence = (parts: { readonly store: EvidenceStore; readonly clock: () => number }) => RunningEvidence;
