import type { Permission } from '../access/permissions.ts';
import type { AuditEventType } from '../model/audit-event.ts';
import type { CryptoOperation } from '../algorithms/crypto-operation.ts';
import type { KeyEvent } from '../lifecycle/transitions.ts';

/**
 * What an operation costs the service, for limits of rates, besides what its work with key material does (`algorithms/costs.ts`): each
 * class is dearer than the one before by an order of magnitude.
 *
 * - `memory`: a token and a key that are mostly held in memory; the store is asked now and then.
 * - `read`: reads the store, and answers a bounded page at most.
 * - `write`: a unit of work that writes.
 * - `slow`: may take seconds: works through everything that a tenant has, or makes key material that is kept nowhere.
 */
export const COST_CLASSES = ['memory', 'read', 'write', 'slow'] as const;
export type CostClass = (typeof COST_CLASSES)[number];

/** What is known of an operation before it runs, by whichever wire it was called. */
export interface CataloguedOperation {
  /** What the caller must hold; `null` where nobody has to, or nobody calls. */
  readonly permission: Permission | null;
  /** The type of the event that it leaves; `null` where it leaves none, or only those of the changes that it makes. */
  readonly event: AuditEventType | null;
  /** What it is about. */
  readonly uses: 'key' | 'tenant' | 'token' | 'identity' | 'service';
  readonly cost: CostClass;
  /** Whether it changes anything that lasts, its evidence and the count of its uses aside. */
  readonly changes: boolean;
  /** How it uses key material, where it does. */
  readonly crypto?: CryptoOperation;
  /** What happens to the key, where it changes one that is there. */
  readonly lifecycle?: KeyEvent;
}

const CHANGE_OF_KEY = { uses: 'key', cost: 'write', changes: true } as const;
const CHANGE_OF_TENANT = { uses: 'tenant', cost: 'write', changes: true } as const;
const READ_OF_TENANT = { uses: 'tenant', cost: 'read', changes: false } as const;
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
  getInventory: {
    permission: 'kms:tenants:read',
    event: 'kms.key.listed',
    uses: 'tenant',
    cost: 'read',
    changes: false,
  },
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
  },
  restoreKey: { ...CHANGE_OF_KEY, permission: 'kms:keys:delete', event: 'kms.key.restored', lifecycle: 'restore' },
  shredKey: { ...CHANGE_OF_KEY, permission: 'kms:keys:delete', event: 'kms.key.shredded', lifecycle: 'shred' },
  getKeyPolicy: { permission: 'kms:keys:read', event: 'kms.key.read', uses: 'key', cost: 'read', changes: false },
  putKeyPolicy: { ...CHANGE_OF_KEY, permission: 'kms:keys:policy', event: 'kms.key.updated', lifecycle: 'update' },
  deleteKeyPolicy: { ...CHANGE_OF_KEY, permission: 'kms:keys:policy', event: 'kms.key.updated', lifecycle: 'update' },
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

  createToken: {
    permission: 'kms:tokens:manage',
    event: 'kms.token.created',
    uses: 'token',
    cost: 'write',
    changes: true,
  },
  getToken: { permission: 'kms:tokens:manage', event: 'kms.token.read', uses: 'token', cost: 'read', changes: false },
  getOwnToken: { permission: null, event: 'kms.token.read', uses: 'token', cost: 'read', changes: false },
  listTokens: {
    permission: 'kms:tokens:manage',
    event: 'kms.token.listed',
    uses: 'token',
    cost: 'read',
    changes: false,
  },
  /** A token may rotate itself without the permission. */
  rotateToken: {
    permission: 'kms:tokens:manage',
    event: 'kms.token.rotated',
    uses: 'token',
    cost: 'write',
    changes: true,
  },
  revokeToken: {
    permission: 'kms:tokens:manage',
    event: 'kms.token.revoked',
    uses: 'token',
    cost: 'write',
    changes: true,
  },
  createIdentityBinding: {
    permission: 'kms:identity-bindings:manage',
    event: 'kms.identity-binding.created',
    uses: 'identity',
    cost: 'write',
    changes: true,
  },
  listIdentityBindings: {
    permission: 'kms:identity-bindings:manage',
    event: 'kms.identity-binding.listed',
    uses: 'identity',
    cost: 'read',
    changes: false,
  },
  getIdentityBinding: {
    permission: 'kms:identity-bindings:manage',
    event: 'kms.identity-binding.read',
    uses: 'identity',
    cost: 'read',
    changes: false,
  },
  deleteIdentityBinding: {
    permission: 'kms:identity-bindings:manage',
    event: 'kms.identity-binding.deleted',
    uses: 'identity',
    cost: 'write',
    changes: true,
  },
  denyIdentity: {
    permission: 'kms:identity-bindings:manage',
    event: 'kms.identity.denied',
    uses: 'identity',
    cost: 'write',
    changes: true,
  },
  listIdentityDenials: {
    permission: 'kms:identity-bindings:manage',
    event: 'kms.identity-denial.listed',
    uses: 'identity',
    cost: 'read',
    changes: false,
  },
  liftIdentityDenial: {
    permission: 'kms:identity-bindings:manage',
    event: 'kms.identity-denial.lifted',
    uses: 'identity',
    cost: 'write',
    changes: true,
  },
  createTenant: {
    permission: 'kms:tenants:manage',
    event: 'kms.tenant.created',
    uses: 'tenant',
    cost: 'write',
    changes: true,
  },
  listTenants: {
    permission: 'kms:tenants:manage',
    event: 'kms.tenant.listed',
    uses: 'tenant',
    cost: 'read',
    changes: false,
  },
  getTenant: { permission: 'kms:tenants:read', event: 'kms.tenant.read', uses: 'tenant', cost: 'read', changes: false },
  updateTenant: {
    permission: 'kms:tenants:manage',
    event: 'kms.tenant.updated',
    uses: 'tenant',
    cost: 'write',
    changes: true,
  },
  rotateMasterKey: {
    permission: 'kms:tenants:rotate',
    event: 'kms.tenant.master-key-rotated',
    uses: 'tenant',
    cost: 'write',
    changes: true,
  },
  getTenantUsage: {
    permission: 'kms:tenants:read',
    event: 'kms.tenant.read',
    uses: 'tenant',
    cost: 'read',
    changes: false,
  },
  shredTenant: {
    permission: 'kms:tenants:shred',
    event: 'kms.tenant.shredded',
    uses: 'tenant',
    cost: 'slow',
    changes: true,
  },

  listAuditEvents: {
    permission: 'kms:audit:read',
    event: 'kms.audit.read',
    uses: 'tenant',
    cost: 'read',
    changes: false,
  },
  getAuditProof: {
    permission: 'kms:audit:read',
    event: 'kms.audit.read',
    uses: 'tenant',
    cost: 'read',
    changes: false,
  },
  listAuditCheckpoints: {
    permission: 'kms:audit:read',
    event: 'kms.audit.read',
    uses: 'tenant',
    cost: 'read',
    changes: false,
  },
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

/** The event of a start in FIPS mode. */
export const FIPS_ENTERED = 'kms.fips.entered' satisfies AuditEventType;
