import type { AuditEventType } from '../model/audit-event.ts';
import type { KeyEvent } from '../lifecycle/transitions.ts';
import type { CataloguedOperation } from './catalogued-operation.ts';

const CHANGE_OF_KEY = { uses: 'key', cost: 'write', changes: true } as const;
const CHANGE_OF_IDENTITY = { uses: 'identity', cost: 'write', changes: true } as const;
const CHANGE_OF_TENANT = { uses: 'tenant', cost: 'write', changes: true } as const;
const CHANGE_OF_TOKEN = { uses: 'token', cost: 'write', changes: true } as const;
const READ_OF_IDENTITY = { uses: 'identity', cost: 'read', changes: false } as const;
const READ_OF_TENANT = { uses: 'tenant', cost: 'read', changes: false } as const;
const READ_OF_TOKEN = { uses: 'token', cost: 'read', changes: false } as const;
const USE_OF_KEY = { uses: 'key', cost: 'memory', changes: false } as const;

/**
 * Every operation by its id, which is also the `action` of its events. Permissions and types of events stand here and nowhere
 * else: operations, evidence, metrics and every wire take them from here.
 */
export const OPERATIONS = {
  createKey: { permission: 'kms:keys:create', event: 'kms.key.created', uses: 'tenant', cost: 'write', changes: true },
  listKeys: { permission: 'kms:keys:read', event: 'kms.key.listed', uses: 'tenant', cost: 'read', changes: false },
  getKeyStats: { permission: 'kms:keys:read', event: 'kms.key.listed', uses: 'tenant', cost: 'read', changes: false },
  getKey: { permission: 'kms:keys:read', event: 'kms.key.read', uses: 'key', cost: 'read', changes: false },
  getPublicKey: { permission: 'kms:keys:read', event: 'kms.key.read', uses: 'key', cost: 'memory', changes: false },
  listRotationSchedules: { ...READ_OF_TENANT, permission: 'kms:keys:read', event: 'kms.key.listed' },
  listUpcomingRotations: { ...READ_OF_TENANT, permission: 'kms:keys:read', event: 'kms.key.listed' },
  getInventory: { ...READ_OF_TENANT, permission: 'kms:tenants:read', event: 'kms.key.listed' },
  exportInventory: {
    permission: 'kms:tenants:read',
    event: 'kms.key.listed',
    uses: 'tenant',
    cost: 'slow',
    changes: false,
  },
  updateKey: { ...CHANGE_OF_KEY, permission: 'kms:keys:update', event: 'kms.key.updated', lifecycle: 'update' },
  rotateKey: { ...CHANGE_OF_KEY, permission: 'kms:keys:rotate', event: 'kms.key.rotated', lifecycle: 'rotate' },
  upgradeKey: { ...CHANGE_OF_KEY, permission: 'kms:keys:rotate', event: 'kms.key.upgraded', lifecycle: 'upgrade' },
  retireVersions: {
    ...CHANGE_OF_KEY,
    permission: 'kms:keys:delete',
    event: 'kms.key.versions-retired',
    lifecycle: 'retire',
    approval: 'retireVersions',
  },
  getKeyUsage: { permission: 'kms:keys:read', event: 'kms.key.read', uses: 'key', cost: 'read', changes: false },
  suspendKey: { ...CHANGE_OF_KEY, permission: 'kms:keys:update', event: 'kms.key.suspended', lifecycle: 'suspend' },
  resumeKey: { ...CHANGE_OF_KEY, permission: 'kms:keys:update', event: 'kms.key.resumed', lifecycle: 'resume' },
  revokeKey: { ...CHANGE_OF_KEY, permission: 'kms:keys:delete', event: 'kms.key.revoked', lifecycle: 'revoke' },
  destroyKey: {
    ...CHANGE_OF_KEY,
    permission: 'kms:keys:delete',
    event: 'kms.key.destruction-scheduled',
    lifecycle: 'destroy',
    approval: 'destroyKey',
  },
  restoreKey: { ...CHANGE_OF_KEY, permission: 'kms:keys:delete', event: 'kms.key.restored', lifecycle: 'restore' },
  shredKey: {
    ...CHANGE_OF_KEY,
    permission: 'kms:keys:delete',
    event: 'kms.key.shredded',
    lifecycle: 'shred',
    approval: 'shredKey',
  },
  getKeyPolicy: { permission: 'kms:keys:read', event: 'kms.key.read', uses: 'key', cost: 'read', changes: false },
  putKeyPolicy: {
    ...CHANGE_OF_KEY,
    permission: 'kms:keys:policy',
    event: 'kms.key.updated',
    lifecycle: 'update',
    approval: 'putKeyPolicy',
  },
  deleteKeyPolicy: {
    ...CHANGE_OF_KEY,
    permission: 'kms:keys:policy',
    event: 'kms.key.updated',
    lifecycle: 'update',
    approval: 'deleteKeyPolicy',
  },
  getImportParameters: {
    permission: 'kms:keys:import',
    event: 'kms.key.import-parameters',
    uses: 'tenant',
    cost: 'slow',
    changes: false,
  },
  importKey: { permission: 'kms:keys:import', event: 'kms.key.imported', uses: 'tenant', cost: 'write', changes: true },

  createMigration: { ...CHANGE_OF_TENANT, permission: 'kms:keys:migrate', event: 'kms.migration.started' },
  listMigrations: { ...READ_OF_TENANT, permission: 'kms:keys:read', event: 'kms.migration.listed' },
  getMigration: { ...READ_OF_TENANT, permission: 'kms:keys:read', event: 'kms.migration.read' },
  cancelMigration: { ...CHANGE_OF_TENANT, permission: 'kms:keys:migrate', event: 'kms.migration.cancelled' },

  encrypt: { ...USE_OF_KEY, permission: 'kms:encrypt', event: 'kms.encrypt', crypto: 'encrypt' },
  decrypt: { ...USE_OF_KEY, permission: 'kms:decrypt', event: 'kms.decrypt', crypto: 'decrypt' },
  reencrypt: { ...USE_OF_KEY, permission: 'kms:reencrypt', event: 'kms.reencrypt', crypto: 'reencrypt' },
  sign: { ...USE_OF_KEY, permission: 'kms:sign', event: 'kms.sign', crypto: 'sign' },
  verify: { ...USE_OF_KEY, permission: 'kms:verify', event: 'kms.verify', crypto: 'verify' },
  wrap: { ...USE_OF_KEY, permission: 'kms:wrap', event: 'kms.wrap', crypto: 'wrap' },
  unwrap: { ...USE_OF_KEY, permission: 'kms:unwrap', event: 'kms.unwrap', crypto: 'unwrap' },
  createDataKey: { ...USE_OF_KEY, permission: 'kms:data-key', event: 'kms.data-key', crypto: 'data-key' },
  mac: { ...USE_OF_KEY, permission: 'kms:mac', event: 'kms.mac', crypto: 'mac' },
  verifyMac: { ...USE_OF_KEY, permission: 'kms:mac-verify', event: 'kms.mac-verify', crypto: 'mac-verify' },
  encapsulate: { ...USE_OF_KEY, permission: 'kms:encapsulate', event: 'kms.encapsulate', crypto: 'encapsulate' },
  decapsulate: { ...USE_OF_KEY, permission: 'kms:decapsulate', event: 'kms.decapsulate', crypto: 'decapsulate' },
  derive: { ...USE_OF_KEY, permission: 'kms:derive', event: 'kms.derive', crypto: 'derive' },
  getRandom: { permission: 'kms:random', event: 'kms.random', uses: 'service', cost: 'memory', changes: false },

  createToken: { ...CHANGE_OF_TOKEN, permission: 'kms:tokens:manage', event: 'kms.token.created' },
  getToken: { permission: 'kms:tokens:manage', event: 'kms.token.read', uses: 'token', cost: 'read', changes: false },
  getOwnToken: { permission: null, event: 'kms.token.read', uses: 'token', cost: 'read', changes: false },
  listTokens: { ...READ_OF_TOKEN, permission: 'kms:tokens:manage', event: 'kms.token.listed' },
  /** A token may rotate itself without the permission. */
  rotateToken: { ...CHANGE_OF_TOKEN, permission: 'kms:tokens:manage', event: 'kms.token.rotated' },
  revokeToken: { ...CHANGE_OF_TOKEN, permission: 'kms:tokens:manage', event: 'kms.token.revoked' },
  createIdentityBinding: {
    ...CHANGE_OF_IDENTITY,
    permission: 'kms:identity-bindings:manage',
    event: 'kms.identity-binding.created',
  },
  listIdentityBindings: {
    ...READ_OF_IDENTITY,
    permission: 'kms:identity-bindings:manage',
    event: 'kms.identity-binding.listed',
  },
  getIdentityBinding: {
    ...READ_OF_IDENTITY,
    permission: 'kms:identity-bindings:manage',
    event: 'kms.identity-binding.read',
  },
  deleteIdentityBinding: {
    ...CHANGE_OF_IDENTITY,
    permission: 'kms:identity-bindings:manage',
    event: 'kms.identity-binding.deleted',
  },
  denyIdentity: { ...CHANGE_OF_IDENTITY, permission: 'kms:identity-bindings:manage', event: 'kms.identity.denied' },
  listIdentityDenials: {
    ...READ_OF_IDENTITY,
    permission: 'kms:identity-bindings:manage',
    event: 'kms.identity-denial.listed',
  },
  liftIdentityDenial: {
    ...CHANGE_OF_IDENTITY,
    permission: 'kms:identity-bindings:manage',
    event: 'kms.identity-denial.lifted',
  },
  createTenant: { ...CHANGE_OF_TENANT, permission: 'kms:tenants:manage', event: 'kms.tenant.created' },
  listTenants: { ...READ_OF_TENANT, permission: 'kms:tenants:manage', event: 'kms.tenant.listed' },
  getTenant: { permission: 'kms:tenants:read', event: 'kms.tenant.read', uses: 'tenant', cost: 'read', changes: false },
  updateTenant: { ...CHANGE_OF_TENANT, permission: 'kms:tenants:manage', event: 'kms.tenant.updated' },
  rotateMasterKey: {
    permission: 'kms:tenants:rotate',
    event: 'kms.tenant.master-key-rotated',
    uses: 'tenant',
    cost: 'write',
    changes: true,
    approval: 'rotateMasterKey',
  },
  getTenantUsage: { ...READ_OF_TENANT, permission: 'kms:tenants:read', event: 'kms.tenant.read' },
  shredTenant: {
    permission: 'kms:tenants:shred',
    event: 'kms.tenant.shredded',
    uses: 'tenant',
    cost: 'slow',
    changes: true,
    approval: 'shredTenant',
  },

  listApprovals: {
    permission: 'kms:approvals:read',
    event: 'kms.approval.listed',
    uses: 'approval',
    cost: 'read',
    changes: false,
  },
  /** Who made a request may read it without the permission. */
  getApproval: {
    permission: 'kms:approvals:read',
    event: 'kms.approval.read',
    uses: 'approval',
    cost: 'read',
    changes: false,
  },
  /** Who made a request may withdraw it without the permission. */
  decideApproval: {
    permission: 'kms:approvals:decide',
    event: 'kms.approval.approved',
    uses: 'approval',
    cost: 'write',
    changes: true,
  },

  listAuditEvents: { ...READ_OF_TENANT, permission: 'kms:audit:read', event: 'kms.audit.read' },
  getAuditProof: { ...READ_OF_TENANT, permission: 'kms:audit:read', event: 'kms.audit.read' },
  listAuditCheckpoints: { ...READ_OF_TENANT, permission: 'kms:audit:read', event: 'kms.audit.read' },
  exportAudit: { permission: 'kms:audit:read', event: 'kms.audit.read', uses: 'tenant', cost: 'slow', changes: false },

  activateSdk: { permission: null, event: 'kms.sdk.activated', uses: 'token', cost: 'memory', changes: false },

  // Without a credential: they name nobody, and leave nothing.
  getHealth: { permission: null, event: null, uses: 'service', cost: 'memory', changes: false },
  getLiveness: { permission: null, event: null, uses: 'service', cost: 'memory', changes: false },
  getReadiness: { permission: null, event: null, uses: 'service', cost: 'memory', changes: false },
  getMetrics: { permission: null, event: null, uses: 'service', cost: 'read', changes: false },
  getOpenApi: { permission: null, event: null, uses: 'service', cost: 'memory', changes: false },

  // What the service does on its own. Nobody calls for it, so it has no permission, and no wire has a name for it.
  start: { permission: null, event: null, uses: 'service', cost: 'write', changes: true },
  bootstrapTenant: { permission: null, event: null, uses: 'tenant', cost: 'write', changes: true },
  installPlatformToken: { permission: null, event: null, uses: 'token', cost: 'write', changes: true },
  removeExpiredTokens: { permission: null, event: 'kms.token.removed', uses: 'token', cost: 'write', changes: true },
  applyTombstones: { permission: null, event: null, uses: 'service', cost: 'slow', changes: true },
  runDueWork: { permission: null, event: null, uses: 'service', cost: 'slow', changes: true },
  rotateDueMasterKeys: { permission: null, event: null, uses: 'service', cost: 'slow', changes: true },
  resealMasterKeys: {
    permission: null,
    event: 'kms.tenant.master-key-destroyed',
    uses: 'service',
    cost: 'slow',
    changes: true,
  },
  runMigrations: { permission: null, event: 'kms.migration.completed', uses: 'service', cost: 'slow', changes: true },
  sweepResidentKeys: { permission: null, event: null, uses: 'service', cost: 'slow', changes: true },
  checkRoots: { permission: null, event: null, uses: 'service', cost: 'slow', changes: false },
  completeWraps: { permission: null, event: null, uses: 'service', cost: 'slow', changes: true },
  bindTenants: { permission: null, event: null, uses: 'service', cost: 'slow', changes: true },

  // The ceremonies of roots, on the host of the service and with its environment. They keep no evidence.
  rootStatus: { permission: null, event: null, uses: 'service', cost: 'slow', changes: false },
  initialiseRoots: { permission: null, event: null, uses: 'service', cost: 'slow', changes: true },
  addRoot: { permission: null, event: null, uses: 'service', cost: 'slow', changes: true },
  rotateRoot: { permission: null, event: null, uses: 'service', cost: 'slow', changes: true },
  retireRoot: { permission: null, event: null, uses: 'service', cost: 'slow', changes: true },
} as const satisfies Readonly<Record<string, CataloguedOperation>>;

/** The id of an operation. */
export type OperationName = keyof typeof OPERATIONS;

/** What an operation is in the catalogue. */
export function operationNamed(name: OperationName): CataloguedOperation {
  return OPERATIONS[name];
}

/** The type of the event that each change of a key leaves, whichever operation makes it. */
export const KEY_EVENT_TYPES = {
  update: OPERATIONS.updateKey.event,
  rotate: OPERATIONS.rotateKey.event,
  upgrade: OPERATIONS.upgradeKey.event,
  retire: OPERATIONS.retireVersions.event,
  suspend: OPERATIONS.suspendKey.event,
  resume: OPERATIONS.resumeKey.event,
  revoke: OPERATIONS.revokeKey.event,
  destroy: OPERATIONS.destroyKey.event,
  restore: OPERATIONS.restoreKey.event,
  condemn: 'kms.key.condemned',
  purge: 'kms.key.destroyed',
  shred: OPERATIONS.shredKey.event,
} as const satisfies Readonly<Record<KeyEvent, AuditEventType>>;

/** What a start leaves in each chain when evidence is kept from then on, and when it no longer is. */
export const AUDIT_SWITCH = { on: 'kms.audit.enabled', off: 'kms.audit.disabled' } as const satisfies Readonly<
  Record<string, AuditEventType>
>;

/** The event of a migration that was only planned. */
export const MIGRATION_PLANNED = 'kms.migration.planned' satisfies AuditEventType;

/** The type of the event that a request for approvals leaves when it is made, and whenever something becomes of it. */
export const APPROVAL_EVENTS = {
  request: 'kms.approval.requested',
  approve: OPERATIONS.decideApproval.event,
  refuse: 'kms.approval.refused',
  withdraw: 'kms.approval.withdrawn',
  execute: 'kms.approval.executed',
} as const satisfies Readonly<Record<string, AuditEventType>>;

/** The event of a start in FIPS mode. */
export const FIPS_ENTERED = 'kms.fips.entered' satisfies AuditEventType;
