import type { Checkpoint } from '@qnsp/kms-core/ports';

/** What an export must agree with. */
export interface VerifyExportOptions {
  /** The public keys that checkpoints may be signed with, in PEM: more than one after a change of the signing key. */
  readonly publicKeysPem: readonly string[];
  /** Whose evidence it must be; that of its first line without it. */
  readonly tenantId?: string;
  /**
   * A checkpoint obtained separately from the export, for example from the audit service: without one, nothing shows
   * that the end of the export was not cut off. It does so up to the last event that it covers.
   */
  readonly latestCheckpoint?: Checkpoint;
  /** How many events there must be; another way to show that the end was not cut off. */
  readonly expectedEvents?: number;
  /** The last checkpoint of an earlier export that was verified; this one continues after it. */
  readonly after?: Checkpoint;
  /**
   * Batches that were sealed before this time may lack their events, all of them: retention removed them. Their signed
   * checkpoints are still there, each linked to the one before. Older batches may be complete: what the audit service
   * refused is kept. `retiredAfterKept` of the report names what is missing after such a batch.
   */
  readonly retiredBefore?: Date;
}
