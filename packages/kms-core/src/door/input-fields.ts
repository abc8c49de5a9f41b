import { badRequest } from '../errors/kms-error.ts';
import type { CALLERS_OPERATIONS, CallersOperation } from './operations-by-name.ts';

type InputOf<F> = F extends (op: never, input: infer Input, ...rest: never) => unknown ? Input : never;

/** The fields of an input, each of them; of one that may be of several forms those of all. */
type FieldsOf<Input> = Readonly<Record<Input extends unknown ? keyof Input : never, true>>;

const KEY = { keyId: true } as const;
const TENANT = { tenantId: true } as const;
const PAGE = { limit: true, cursor: true } as const;
const CHANGE = { ...KEY, ifRevision: true, statedReason: true } as const;
const NEW_KEY = {
  name: true,
  purpose: true,
  rotation: true,
  usageLimits: true,
  metadata: true,
  policy: true,
  allowLockout: true,
  parentKeyId: true,
  destroyGuardDays: true,
  requireApproval: true,
  algorithm: true,
} as const;

/** What callers can say to each operation. The compiler refuses a field that is missing. */
const FIELDS: { readonly [Name in CallersOperation]: FieldsOf<InputOf<(typeof CALLERS_OPERATIONS)[Name]>> } = {
  createKey: { ...NEW_KEY, protectionLevel: true },
  listKeys: { ...PAGE, state: true, algorithm: true, purpose: true, name: true },
  getKeyStats: {},
  getKey: KEY,
  getPublicKey: { keyId: true, keyVersion: true },
  listRotationSchedules: { limit: true, withinDays: true },
  listUpcomingRotations: { limit: true, withinDays: true },
  getInventory: PAGE,
  exportInventory: {},
  updateKey: {
    ...CHANGE,
    name: true,
    metadata: true,
    rotation: true,
    usageLimits: true,
    destroyGuardDays: true,
    requireApproval: true,
  },
  rotateKey: CHANGE,
  upgradeKey: CHANGE,
  retireVersions: { ...CHANGE, olderThanDays: true },
  getKeyUsage: { keyId: true, days: true },
  suspendKey: CHANGE,
  resumeKey: CHANGE,
  revokeKey: { ...CHANGE, reason: true, cascade: true },
  destroyKey: { ...CHANGE, pendingDays: true, acknowledgeLastUse: true },
  restoreKey: CHANGE,
  shredKey: { ...CHANGE, confirmation: true, acknowledgeLastUse: true },
  getKeyPolicy: KEY,
  putKeyPolicy: { ...CHANGE, policy: true, allowLockout: true },
  deleteKeyPolicy: CHANGE,
  getImportParameters: { wrappingAlgorithm: true },
  importKey: {
    ...NEW_KEY,
    keyId: true,
    wrappingAlgorithm: true,
    importToken: true,
    wrappedMaterial: true,
    protectionLevel: true,
  },
  createMigration: { ...PAGE, selector: true, target: true, dryRun: true },
  listMigrations: PAGE,
  getMigration: { migrationId: true },
  cancelMigration: { migrationId: true },
  encrypt: { keyId: true, plaintext: true, context: true },
  decrypt: { ciphertext: true, context: true, keyId: true },
  reencrypt: { ciphertext: true, context: true, newContext: true, sourceKeyId: true, destinationKeyId: true },
  sign: { data: true, keyId: true, options: true, keyVersion: true },
  verify: { data: true, keyId: true, signature: true, options: true, keyVersion: true },
  wrap: { keyId: true, dataKey: true, associatedData: true },
  unwrap: { wrappedKey: true, associatedData: true, keyId: true },
  createDataKey: { keyId: true, bytes: true, associatedData: true, context: true, withPlaintext: true },
  mac: { data: true, keyId: true, keyVersion: true },
  verifyMac: { data: true, keyId: true, mac: true, keyVersion: true },
  encapsulate: KEY,
  decapsulate: { keyId: true, ciphertext: true, keyVersion: true },
  derive: { keyId: true, peerPublicKey: true, salt: true, info: true, length: true, keyVersion: true },
  getRandom: { bytes: true },
  createToken: {
    name: true,
    role: true,
    permissions: true,
    expiresAt: true,
    purpose: true,
    keys: true,
    addresses: true,
    rate: true,
    awsCredentials: true,
  },
  getToken: { tokenId: true },
  listTokens: PAGE,
  rotateToken: { tokenId: true, overlapSeconds: true },
  revokeToken: { tokenId: true, cascade: true },
  createIdentityBinding: {
    issuer: true,
    match: true,
    certificate: true,
    role: true,
    permissions: true,
    keys: true,
    expiresAt: true,
  },
  listIdentityBindings: PAGE,
  getIdentityBinding: { bindingId: true },
  deleteIdentityBinding: { bindingId: true },
  denyIdentity: { issuer: true, sub: true, jti: true, before: true },
  listIdentityDenials: PAGE,
  liftIdentityDenial: { denialId: true },
  createTenant: { tenantId: true, name: true },
  listTenants: PAGE,
  getTenant: TENANT,
  updateTenant: { tenantId: true, limits: true },
  rotateMasterKey: TENANT,
  getTenantUsage: TENANT,
  shredTenant: { tenantId: true, confirmation: true, reason: true },
  listApprovals: { ...PAGE, state: true },
  getApproval: { approvalId: true },
  decideApproval: { approvalId: true, decision: true },
  listAuditEvents: { ...PAGE, keyId: true, eventType: true, actor: true, result: true, from: true, to: true },
  getAuditProof: { eventId: true },
  listAuditCheckpoints: PAGE,
  exportAudit: { after: true, batches: true },
};

/**
 * Checks that an input says nothing that its operation does not listen to: a context that is misspelt would not be authenticated, and a
 * rotation not made. Throws `BAD_REQUEST` with the name of the field.
 */
export function checkFields(operation: CallersOperation, input: object): void {
  for (const name of Object.keys(input))
    if (!Object.hasOwn(FIELDS[operation], name)) throw badRequest(name, `is no field of the input of ${operation}`);
}
