import { createApiToken } from '../operations/api-tokens.ts';
import { decideApproval, getApproval, listApprovals } from '../operations/approvals.ts';
import { applyTombstones } from '../operations/apply-tombstones.ts';
import type { OPERATIONS, OperationName } from '../operations/catalog.ts';
import { createDataKey } from '../operations/create-data-key.ts';
import { createMigration } from '../operations/create-migration.ts';
import { createKey } from '../operations/create-key.ts';
import { decrypt } from '../operations/decrypt.ts';
import { denyIdentity } from '../operations/deny-identity.ts';
import { derive } from '../operations/derive.ts';
import { destroyKey, restoreKey, shredKey } from '../operations/destroy-key.ts';
import { decapsulate, encapsulate } from '../operations/encapsulate.ts';
import { encrypt } from '../operations/encrypt.ts';
import { getKey } from '../operations/get-key.ts';
import { getPublicKey } from '../operations/get-public-key.ts';
import { importKey } from '../operations/import-key.ts';
import { createImportParameters } from '../operations/import-parameters.ts';
import { createIdentityBinding, deleteIdentityBinding, getIdentityBinding } from '../operations/identity-bindings.ts';
import { deleteKeyPolicy, getKeyPolicy, putKeyPolicy } from '../operations/key-policy.ts';
import { getApiToken } from '../operations/get-token.ts';
import { exportInventory, getInventory } from '../operations/inventory.ts';
import { getKeyUsage } from '../operations/key-usage.ts';
import { keyStatistics } from '../operations/key-statistics.ts';
import { listApiTokens } from '../operations/list-api-tokens.ts';
import { liftIdentityDenial } from '../operations/lift-identity-denial.ts';
import { listIdentityBindings } from '../operations/list-identity-bindings.ts';
import { listIdentityDenials } from '../operations/list-identity-denials.ts';
import { listKeys } from '../operations/list-keys.ts';
import { mac, verifyMac } from '../operations/mac.ts';
import { installPlatformToken } from '../operations/platform-token.ts';
import { cancelMigration, getMigration, listMigrations } from '../operations/migrations.ts';
import { random } from '../operations/random.ts';
import { exportAudit, getAuditBatch, listAuditCheckpoints, listAuditEvents } from '../operations/read-evidence.ts';
import { reencrypt } from '../operations/reencrypt.ts';
import { removeExpiredTokens } from '../operations/remove-expired-tokens.ts';
import { retireVersions } from '../operations/retire-versions.ts';
import { revokeApiToken } from '../operations/revoke-token.ts';
import { revokeKey } from '../operations/revoke-key.ts';
import { rotateKey, upgradeKey } from '../operations/rotate-key.ts';
import { rotateApiToken } from '../operations/rotate-token.ts';
import { rotationSchedules } from '../operations/rotation-schedules.ts';
import { runDueWork } from '../operations/run-due-work.ts';
import { runMigrations } from '../operations/run-migrations.ts';
import { sign } from '../operations/sign.ts';
import { resumeKey, suspendKey } from '../operations/suspend-key.ts';
import { sweepResidentKeys } from '../operations/sweep-resident-keys.ts';
import { getTenant, rotateMasterKey } from '../operations/master-key-rotation.ts';
import { resealMasterKeys } from '../operations/reseal-master-keys.ts';
import { rotateDueMasterKeys } from '../operations/rotate-due-master-keys.ts';
import { bootstrapTenant, createTenant, listTenants, shredTenant } from '../operations/tenants.ts';
import { tenantUsage } from '../operations/tenant-usage.ts';
import { updateTenant } from '../operations/update-tenant.ts';
import { unwrap } from '../operations/unwrap.ts';
import { updateKey } from '../operations/update-key.ts';
import { verify } from '../operations/verify.ts';
import { wrap } from '../operations/wrap.ts';
import type { CallerKms } from './callers/callers-kms.ts';
import type { OwnKms } from './callers/own.ts';

/** The operations of the catalogue that somebody needs a permission for. */
export type CallersOperation = {
  [Name in OperationName]: (typeof OPERATIONS)[Name]['permission'] extends null ? never : Name;
}[OperationName];

/** Each operation that a caller can ask for, under its name in the catalogue. The compiler refuses a missing one, and one without documentation. */
export const CALLERS_OPERATIONS = {
  createKey,
  listKeys,
  getKeyStats: keyStatistics,
  getKey,
  getPublicKey,
  listRotationSchedules: rotationSchedules,
  listUpcomingRotations: rotationSchedules,
  getInventory,
  exportInventory,
  updateKey,
  rotateKey,
  upgradeKey,
  retireVersions,
  getKeyUsage,
  suspendKey,
  resumeKey,
  revokeKey,
  destroyKey,
  restoreKey,
  shredKey,
  getKeyPolicy,
  putKeyPolicy,
  deleteKeyPolicy,
  getImportParameters: createImportParameters,
  importKey,
  createMigration,
  listMigrations,
  getMigration,
  cancelMigration,
  encrypt,
  decrypt,
  reencrypt,
  sign,
  verify,
  wrap,
  unwrap,
  createDataKey,
  mac,
  verifyMac,
  encapsulate,
  decapsulate,
  derive,
  getRandom: random,
  createToken: createApiToken,
  getToken: getApiToken,
  listTokens: listApiTokens,
  rotateToken: rotateApiToken,
  revokeToken: revokeApiToken,
  createIdentityBinding,
  listIdentityBindings,
  getIdentityBinding,
  deleteIdentityBinding,
  denyIdentity,
  listIdentityDenials,
  liftIdentityDenial,
  createTenant,
  listTenants,
  getTenant,
  updateTenant,
  rotateMasterKey,
  getTenantUsage: tenantUsage,
  shredTenant,
  listApprovals,
  getApproval,
  decideApproval,
  listAuditEvents,
  getAuditProof: getAuditBatch,
  listAuditCheckpoints,
  exportAudit,
} as const satisfies { readonly [Name in CallersOperation]: Name extends keyof CallerKms ? unknown : never };

/** What nobody calls for: the work of the KMS itself, under its names in the catalogue. */
export const OWN_OPERATIONS = {
  bootstrapTenant,
  installPlatformToken,
  removeExpiredTokens,
  applyTombstones,
  runDueWork,
  rotateDueMasterKeys,
  resealMasterKeys,
  runMigrations,
  sweepResidentKeys,
} as const satisfies Readonly<Record<OperationName & keyof OwnKms, unknown>>;
