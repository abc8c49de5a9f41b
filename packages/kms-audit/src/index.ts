export { canonicalJson } from './canonical-json.ts';
export { auditUrlProblem } from './audit-address.ts';
export { toCef } from './cef.ts';
export { checkpointHash } from './checkpoint.ts';
export {
  type CheckpointSigner,
  checkpointSigner,
  type CheckpointVerifier,
  checkpointVerifier,
} from './checkpoint-signature.ts';
export {
  auditServiceProblem,
  type Deliver,
  type DeliveryAnswer,
  deliveryBody,
  deliveryClient,
  type DeliveryClientOptions,
} from './delivery-client.ts';
export type { EvidenceReport } from './evidence-report.ts';
export { type EvidenceWorkerOptions, startEvidenceWorker } from './evidence-worker.ts';
export { type ExportLine, exportLines, parseExportLine, readCheckpoint } from './export-lines.ts';
export type { BadLine, BatchRange, EpochReport, ExportReport } from './export-report.ts';
export { GroupCommit, type GroupCommitOptions } from './group-commit.ts';
export { keepEvidence, type KeepEvidenceOptions } from './keep-evidence.ts';
export { type InclusionProof, inclusionProblem, proveInclusion } from './inclusion-proof.ts';
export { type Line, LineSplitter, type UnreadableLine } from './lines.ts';
export { type ExportSource, runAuditExport } from './run-audit-export.ts';
export { type AuditVerifyArguments, runAuditVerify } from './run-audit-verify.ts';
export { emptyChain, sealBatch, SupersededKeyError } from './seal-batch.ts';
export { batchProblem, readDelivery } from './verify-batch.ts';
export { verifyExport } from './verify-export.ts';
export type { VerifyExportOptions } from './verify-export-options.ts';
export type { AuditEvent, EvidenceBatch } from '@qnsp/kms-core';
export type {
  ChainedEvent,
  ChainHead,
  Checkpoint,
  CheckpointStatement,
  EvidenceEpoch,
  SealedBatch,
  SigningKeyPeriod,
} from '@qnsp/kms-core/ports';
