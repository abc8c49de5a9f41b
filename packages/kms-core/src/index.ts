// What a program needs that keeps keys. Each name is documented where it is defined.
export type { Caller } from './access/caller.ts';
export type { Identity } from './access/identity.ts';
export { localCaller, type LocalCaller } from './door/local-caller.ts';
export {
  effectivePermissions,
  type Permission,
  PERMISSIONS,
  type Role,
  ROLE_PERMISSIONS,
  ROLES,
} from './access/permissions.ts';
export { type Algorithm, KEY_PURPOSES, type KeyPurpose } from './algorithms/registry.ts';
export { resolveAlgorithm } from './algorithms/resolve.ts';
export { BOUNDS } from './bounds/bounds.ts';
export type { CallerKms } from './door/callers/callers-kms.ts';
export type { OwnKms } from './door/callers/own.ts';
export { openKms } from './door/open-kms.ts';
export type { OpenKmsOptions } from './door/open-kms-options.ts';
export { type CallFacts, OpenedKms, type Presenter } from './door/opened-kms.ts';
export type { Schedule, WorkReport } from './door/scheduled-work.ts';
export type { SignatureOptions } from './engines/engine.ts';
export type { EncryptionContext } from './envelope/associated-data.ts';
export { type Issue, KmsError, type KmsErrorCode, type KmsErrorOptions } from './errors/kms-error.ts';
export { softwareRoot } from './hierarchy/software-root.ts';
export type { OpenCaches } from './keyring/kms-caches.ts';
export type { Alert, AlertSink } from './model/alert.ts';
export type { AuditEvent } from './model/audit-event.ts';
export type { EvidenceBatch } from './model/chain.ts';
export type { ChangeRequest } from './model/change-request.ts';
export type { KeyDescription, VersionDescription } from './model/describe-key.ts';
export { isUuid, type KeyId, SYSTEM_TENANT, type TenantId } from './model/identifiers.ts';
export type { KeySettings, RotationInput } from './model/key-settings.ts';
export { type ProtectionLevel, REVOCATION_REASONS, type RevocationReason, type UsageLimits } from './model/key.ts';
export type { Metadata } from './model/metadata.ts';
export type { PolicyConditions, PolicyDocument, PolicyStatement } from './model/policy-document.ts';
export { KEY_STATES, type KeyState, type VersionState } from './model/states.ts';
export type { ApiTokenDescription, CreateApiTokenInput, CreatedApiToken } from './operations/api-tokens.ts';
export { type OperationName, OPERATIONS } from './operations/catalog.ts';
export type { CataloguedOperation } from './operations/catalogued-operation.ts';
export type { CreateDataKeyInput, CreateDataKeyResult } from './operations/create-data-key.ts';
export type { CreateKeyInput } from './operations/create-key.ts';
export type { DecryptInput, DecryptResult } from './operations/decrypt.ts';
export type { DeriveInput, DeriveResult } from './operations/derive.ts';
export type { DestroyKeyInput, ShredKeyInput } from './operations/destroy-key.ts';
export type { DecapsulateInput, DecapsulateResult, EncapsulateResult } from './operations/encapsulate.ts';
export type { EncryptInput, EncryptResult } from './operations/encrypt.ts';
export type { PublicKeyResult } from './operations/get-public-key.ts';
export type { ImportKeyInput } from './operations/import-key.ts';
export type { ImportParameters, WrappedMaterial, WrappingAlgorithm } from './operations/import-parameters.ts';
export type { PutKeyPolicyInput } from './operations/key-policy.ts';
export type { KeyStatistics } from './operations/key-statistics.ts';
export type { ListApiTokensInput, ListApiTokensResult } from './operations/list-api-tokens.ts';
export type { ListKeysInput, ListKeysResult } from './operations/list-keys.ts';
export type { MacInput, MacResult, VerifyMacInput } from './operations/mac.ts';
export type {
  ExportAuditInput,
  ListAuditCheckpointsResult,
  ListAuditEventsInput,
  ListAuditEventsResult,
} from './operations/read-evidence.ts';
export type { ReencryptInput } from './operations/reencrypt.ts';
export type { RevokeKeyInput } from './operations/revoke-key.ts';
export type { RotationSchedule, RotationSchedules } from './operations/rotation-schedules.ts';
export type { SignInput, SignResult } from './operations/sign.ts';
export type { MasterKeyDescription, TenantDescription, TenantDetails } from './model/describe-tenant.ts';
export type { NamedTenant } from './operations/master-key-rotation.ts';
export type { UpdateTenantInput } from './operations/update-tenant.ts';
export type {
  CreateTenantInput,
  ListTenantsResult,
  ShredTenantInput,
} from './operations/tenants.ts';
export type { VersionMatch } from './operations/try-versions.ts';
export type { UnwrapInput, UnwrapResult } from './operations/unwrap.ts';
export type { UpdateKeyInput } from './operations/update-key.ts';
export type { VerifyInput } from './operations/verify.ts';
export type { WrapInput, WrapResult } from './operations/wrap.ts';
export type { CredentialVerifier, PresentedCredentials } from './ports/credential-verifier.ts';
export type { KeepEvidence } from './ports/kept-evidence.ts';
export { Storage } from './ports/storage.ts';
