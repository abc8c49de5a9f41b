import { CRYPTO_OPERATIONS, type CryptoOperation } from '../algorithms/crypto-operation.ts';

const LIFECYCLE_PERMISSIONS = [
  'kms:keys:create',
  'kms:keys:read',
  'kms:keys:use',
  'kms:keys:update',
  'kms:keys:rotate',
  'kms:keys:delete',
  'kms:keys:import',
  'kms:keys:policy',
  'kms:keys:migrate',
] as const;

const SERVICE_PERMISSIONS = [
  'kms:random',
  'kms:tokens:manage',
  'kms:identity-bindings:manage',
  'kms:approvals:read',
  'kms:approvals:decide',
  'kms:audit:read',
  'kms:tenants:read',
  'kms:tenants:rotate',
  'kms:tenants:shred',
  'kms:tenants:manage',
] as const;

/** What a credential may do, as `kms:` and a name. */
export type Permission =
  | (typeof LIFECYCLE_PERMISSIONS)[number]
  | (typeof SERVICE_PERMISSIONS)[number]
  | `kms:${CryptoOperation}`;

/** To use a key in whatever way its purpose allows: it stands for every permission to use one. */
export const USE_KEYS = 'kms:keys:use' satisfies Permission;
/** To set and remove the policy of a key. */
export const SET_POLICIES = 'kms:keys:policy' satisfies Permission;

/**
 * What no policy takes from the tenant's administrators: to change or remove the policy, and to revoke, to destroy and to take
 * a destruction back. Without it a `deny` for everybody would make a key that nobody can ever end.
 */
export const WAY_BACK: ReadonlySet<Permission> = new Set<Permission>([SET_POLICIES, 'kms:keys:delete']);

/** What reaches beyond single keys: a credential for some keys holds none of it, whatever its role. */
export const BEYOND_KEYS: ReadonlySet<Permission> = new Set<Permission>([
  'kms:keys:create',
  'kms:keys:import',
  'kms:keys:migrate',
  'kms:tokens:manage',
  'kms:identity-bindings:manage',
  'kms:approvals:read',
  'kms:approvals:decide',
  'kms:audit:read',
  'kms:tenants:read',
  'kms:tenants:rotate',
  'kms:tenants:shred',
  'kms:tenants:manage',
]);

/** Every permission there is. */
export const PERMISSIONS: readonly Permission[] = [
  ...LIFECYCLE_PERMISSIONS,
  ...SERVICE_PERMISSIONS,
  ...CRYPTO_OPERATIONS.map((operation) => `kms:${operation}` as const),
];

/** The roles, each of which bundles permissions. */
export const ROLES = ['platform_admin', 'tenant_admin', 'key_admin', 'key_user', 'auditor'] as const;
/** One of {@link ROLES}. */
export type Role = (typeof ROLES)[number];

/**
 * What `kms:keys:use` stands for. Written out, as the roles are: what is added to the operations is not held by every
 * credential that uses keys until somebody decides so.
 */
const USES_OF_A_KEY = [
  'kms:encrypt',
  'kms:decrypt',
  'kms:reencrypt',
  'kms:sign',
  'kms:verify',
  'kms:wrap',
  'kms:unwrap',
  'kms:data-key',
  'kms:mac',
  'kms:mac-verify',
  'kms:encapsulate',
  'kms:decapsulate',
  'kms:derive',
] as const satisfies readonly Permission[];

const usesOfAKey: ReadonlySet<Permission> = new Set(USES_OF_A_KEY);

/**
 * The permissions that each role bundles, all of them written out: a permission that is added is held by nobody until
 * it is written here, and in `docs/roles.md`. Crypto use and lifecycle are separate on purpose: only admins hold both.
 */
export const ROLE_PERMISSIONS: Readonly<Record<Role, ReadonlySet<Permission>>> = {
  platform_admin: new Set<Permission>([
    'kms:keys:create',
    'kms:keys:read',
    'kms:keys:use',
    'kms:keys:update',
    'kms:keys:rotate',
    'kms:keys:delete',
    'kms:keys:import',
    'kms:keys:policy',
    'kms:keys:migrate',
    'kms:random',
    'kms:tokens:manage',
    'kms:identity-bindings:manage',
    'kms:approvals:read',
    'kms:approvals:decide',
    'kms:audit:read',
    'kms:tenants:read',
    'kms:tenants:rotate',
    'kms:tenants:shred',
    'kms:tenants:manage',
    ...USES_OF_A_KEY,
  ]),
  tenant_admin: new Set<Permission>([
    'kms:approvals:read',
    'kms:approvals:decide',
    'kms:keys:create',
    'kms:keys:read',
    'kms:keys:use',
    'kms:keys:update',
    'kms:keys:rotate',
    'kms:keys:delete',
    'kms:keys:import',
    'kms:keys:policy',
    'kms:keys:migrate',
    'kms:random',
    'kms:tokens:manage',
    'kms:identity-bindings:manage',
    'kms:audit:read',
    'kms:tenants:read',
    'kms:tenants:rotate',
    'kms:tenants:shred',
    ...USES_OF_A_KEY,
  ]),
  key_admin: new Set<Permission>([
    'kms:keys:create',
    'kms:keys:read',
    'kms:keys:update',
    'kms:keys:rotate',
    'kms:keys:delete',
    'kms:keys:import',
    'kms:keys:policy',
    'kms:keys:migrate',
    'kms:approvals:read',
    'kms:random',
  ]),
  key_user: new Set<Permission>(['kms:keys:read', 'kms:keys:use', 'kms:random', ...USES_OF_A_KEY]),
  auditor: new Set<Permission>(['kms:keys:read', 'kms:approvals:read', 'kms:audit:read', 'kms:tenants:read']),
};

/**
 * The permissions of a credential: those of its role and its own, where `kms:keys:use` stands for the operations that use a
 * key.
 */
export function effectivePermissions(role: Role | null, permissions: readonly Permission[]): ReadonlySet<Permission> {
  const all = new Set<Permission>([...(role === null ? [] : ROLE_PERMISSIONS[role]), ...permissions]);
  if (all.has('kms:keys:use')) for (const permission of USES_OF_A_KEY) all.add(permission);
  return all;
}

/** Whether a permission is for using a key, as opposed to managing it. */
export function isCryptoPermission(permission: Permission): boolean {
  return usesOfAKey.has(permission);
}
