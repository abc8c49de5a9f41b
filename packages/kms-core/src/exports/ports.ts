// What the core needs from outside, for those who implement it, and the types that it speaks.
export {
  type ApiTokenRecord,
  endOfToken,
  hasEnded,
  identityOfToken,
  isRetirement,
  takesRoom,
  type UnsignedApiTokenRecord,
} from '../access/api-token.ts';
export type { CredentialKind, Identity } from '../access/identity.ts';
export { notAuthorized, RefusedCredential } from '../access/refused-credential.ts';
export type { Algorithm } from '../algorithms/registry.ts';
export { andThen, type MaybePromise } from '../base/maybe-promise.ts';
export type { KeyEngine } from '../engines/engine.ts';
export { badRequest, type Issue, KmsError, type KmsErrorCode, type KmsErrorOptions } from '../errors/kms-error.ts';
export { masterKeyRetired, NewerMasterKey } from '../errors/newer-master-key.ts';
export { type QuotaKind, quotaExceeded, requireRoom } from '../errors/quota-exceeded.ts';
export { tooManyAnswers } from '../errors/too-many-answers.ts';
export { OutcomeUnknown } from '../errors/outcome-unknown.ts';
export type { MakeRoot } from '../hierarchy/establish-roots.ts';
export { softwareRoot } from '../hierarchy/software-root.ts';
export { keyNotFound } from '../keyring/key-ring.ts';
export type { KmsCaches, OpenCaches } from '../keyring/kms-caches.ts';
export type { LoadedKey } from '../keyring/loaded-key.ts';
export type { LiveToken } from '../keyring/token-ring.ts';
export type { Alert, AlertSink } from '../model/alert.ts';
export {
  ACCESS_DENIED,
  AUDIT_EVENT_TYPES,
  AUDIT_RESULTS,
  REFUSAL_REASONS,
  type RefusedFor,
  type AuditActor,
  type AuditContext,
  type AuditEvent,
  type AuditEventType,
  type AuditFact,
  type AuditFacts,
  type AuditResource,
  type AuditResult,
  RESOURCE_TYPES,
} from '../model/audit-event.ts';
export type {
  ChainedEvent,
  ChainHead,
  Checkpoint,
  CheckpointStatement,
  EvidenceBatch,
  EvidenceEpoch,
  SealedBatch,
  SigningKeyPeriod,
} from '../model/chain.ts';
export {
  ID_PATTERN,
  isUuid,
  isVersionedUuid,
  type KeyId,
  newId,
  SYSTEM_TENANT,
  type TenantId,
  uuidFromBytes,
  uuidToBytes,
} from '../model/identifiers.ts';
export {
  type KeyRecord,
  type KeyVersionRecord,
  PROTECTION_LEVELS,
  type ProtectionLevel,
  type RecordMac,
  REVOCATION_REASONS,
  type RevocationReason,
  type RotationSettings,
  type UnsignedKeyRecord,
  type UsageLimits,
} from '../model/key.ts';
export type {
  KeyMigrationRecord,
  MigrationOrder,
  MigrationProgress,
  MigrationRefusal,
  MigrationSelector,
  MigrationState,
} from '../model/key-migration.ts';
export type { Metadata } from '../model/metadata.ts';
export type { PolicyDocument } from '../model/policy-document.ts';
export {
  fieldOf,
  isCritical,
  KNOWN_FIELDS,
  type KnownField,
  type KnownFields,
  NO_FIELDS,
  type RecordField,
  type RecordFields,
  type StoredRetiredKey,
  TENANT_BURST,
  TENANT_MASTER_KEY_CREATED,
  TENANT_RATE,
  TENANT_RETIRED_MASTER_KEYS,
  TOKEN_ADDRESSES,
  TOKEN_CREATOR,
  TOKEN_IDENTITY,
  TOKEN_KEYS,
  TOKEN_OVERLAP_END,
  TOKEN_PARENT,
  TOKEN_PURPOSE,
  TOKEN_RATE,
  TOKEN_REPLACES,
  withField,
} from '../model/record-fields.ts';
export { KEY_STATES, type KeyState, VERSION_STATES, type VersionState } from '../model/states.ts';
export type {
  MasterKeyName,
  MasterKeyWrap,
  RootRecord,
  TenantRecord,
  TenantState,
  UnsignedTenantRecord,
} from '../model/tenant.ts';
export type { Quotas } from '../model/quotas.ts';
export type { OwnQuotas, RateLimit, TenantLimits } from '../model/tenant-limits.ts';
export type { PolicyViolation } from '../crypto-policy/policy-verdicts.ts';
export type { InventoryKey, InventoryVersion } from '../model/inventory.ts';
export type { GetInventoryInput, GetInventoryResult, InventoryPage } from '../operations/inventory.ts';
export type { TenantUsageDescription, UsageOfQuota } from '../operations/tenant-usage.ts';
export type { Tombstone } from '../model/tombstone.ts';
export type { AcknowledgedCommits, CommitMemory, KnownCommits } from '../ports/acknowledged-commits.ts';
export {
  type ChangeFeed,
  type FeedEvent,
  type Mark,
  SILENT_FEED,
  type StoreChange,
  TRUST_MS,
} from '../ports/change-feed.ts';
export { FORGOTTEN_AFTER_MS, REMEMBERED_MS } from '../ports/commit-retention.ts';
export type {
  AccessKey,
  CredentialVerifier,
  PresentedCertificate,
  PresentedCredentials,
  PresentedSignature,
} from '../ports/credential-verifier.ts';
export type { BroughtTombstones, DatabaseCopies, DatabaseCopy, SettledCopy } from '../ports/database-copies.ts';
export type {
  Delivery,
  DeliveryOutcome,
  EvidenceBacklog,
  EvidencePage,
  EvidenceQuery,
  EvidenceReader,
  EvidenceStore,
} from '../ports/evidence-store.ts';
export type { EvidenceTrail } from '../ports/evidence-trail.ts';
export type { FleetNode, FleetNodes } from '../ports/fleet-nodes.ts';
export { InProcessFeed } from '../ports/in-process-feed.ts';
export type { Client, Job, JobCounts, Jobs } from '../ports/jobs.ts';
export type { KeepEvidence, RunningEvidence } from '../ports/kept-evidence.ts';
export type { MemoryCache } from '../ports/memory-cache.ts';
export type { MigrationPage, MigrationQuery, MigrationRecords } from '../ports/migration-records.ts';
export type { AddressLimiter } from '../ports/address-limiter.ts';
export type { RateLimitDetails, RateLimiter } from '../ports/rate-limiter.ts';
export {
  NothingLeft,
  type ResidentKey,
  type ResidentKeyName,
  type ResidentKeyProvider,
  type ResidentObject,
} from '../ports/resident-keys.ts';
export type { RootProvider } from '../ports/root-provider.ts';
export { poolJobs } from '../scheduling/pool-jobs.ts';
export type { SharedCache } from '../ports/shared-cache.ts';
export { Storage, type StorageParts } from '../ports/storage.ts';
export type { StoreClock } from '../ports/store-clock.ts';
export { checkChange, checkKey, checkReseal } from '../ports/store-invariants.ts';
export type {
  ApprovalPage,
  ApprovalQuery,
  ApprovalRecords,
  DueKey,
  EvidenceRecords,
  ExpiredToken,
  FirstLock,
  FoundIdentities,
  IdempotencyRecord,
  IdempotencyRecords,
  IdentityBindingPage,
  IdentityBindingQuery,
  IdentityDenialPage,
  IdentityDenialQuery,
  IdentityNames,
  IdentityRecords,
  KeyCounts,
  KeyPage,
  KeyQuery,
  KeyRecords,
  MasterKeyCounts,
  KnownUses,
  OperationLease,
  VersionUse,
  RemovedBindingQuery,
  ResidentClaim,
  Room,
  RoomForBinding,
  ResidentClaims,
  ResidentVersion,
  SealCounts,
  SealRecords,
  Store,
  StoreScope,
  TenantPage,
  TenantQuery,
  TenantRecords,
  TenantUsage,
  TokenPage,
  TokenQuery,
  TokenRecords,
  UnitOfWork,
} from '../ports/store.ts';
