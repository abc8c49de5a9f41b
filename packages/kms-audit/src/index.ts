export { canonicalJson } from './canonical-json.ts';
export * from './audit-address.ts';
export * from './cef.ts';
export * from './checkpoint.ts';
export * from './checkpoint-signature.ts';
export * from './deliver-due.ts';
export * from './delivery-client.ts';
export * from './event-hash.ts';
export * from './evidence-report.ts';
export * from './evidence-worker.ts';
export * from './export-lines.ts';
export * from './export-report.ts';
export * from './group-commit.ts';
export * from './inclusion-proof.ts';
export * from './lines.ts';
export * from './merkle-tree.ts';
export * from './run-audit-export.ts';
export * from './run-audit-verify.ts';
export * from './seal-batch.ts';
export * from './seal-unsealed.ts';
export * from './stuck-batches.ts';
export * from './verify-batch.ts';
export * from './verify-export.ts';
export type * from './verify-export-options.ts';
export type {
  AuditEvent,
  ChainedEvent,
  ChainHead,
  Checkpoint,
  CheckpointStatement,
  EvidenceBatch,
  EvidenceEpoch,
  SealedBatch,
  SigningKeyPeriod,
} from '@qnsp/kms-core';
