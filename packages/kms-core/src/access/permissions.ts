import { CRYPTO_OPERATIONS, type CryptoOperation } from '../lifecycle/operations.ts';

const LIFECYCLE_PERMISSIONS = [
  'kms:keys:create',
  'kms:keys:read',
  'kms:keys:use',
  'kms:keys:update',
  'kms:keys:rotate',
  'kms:keys:delete',
  'kms:keys:import',
  'kms:keys:policy',
] as const;

const SERVICE_PERMISSIONS = [
  'kms:random',
  'kms:tokens:manage',
  'kms:audit:read',
  'kms:tenants:shred',
  'kms:tenants:manage',
] as const;

export type Permission =
  | (typeof LIFECYCLE_PERMISSIONS)[number]
  | (typeof SERVICE_PERMISSIONS)[number]
  | `kms:${CryptoOperation}`;

const cryptoPermissions: readonly Permission[] = CRYPTO_OPERATIONS.map((operation) => `kms:${operation}` as const);

/** To use a key in whatever way its purpose allows: it stands for every permission to use one. */
export const USE_KEYS = 'kms:keys:use' satisfies Permission;
/** To set and remove the policy of a key. */
export const SET_POLICIES = 'kms:keys:policy' satisfies Permission;

/**
 * What no policy takes from the tenant's administrators: to change or remove the policy, and to revoke, to destroy and to take
 * a destruction back. Without it a `deny` for everybody would make a key that nobody can ever end.
 */
export const WAY_BACK: ReadonlySet<Permission> = new Set<Permission>([SET_POLICIES, 'kms:keys:delete']);

/** Every permission there is. */
export const PERMISSIONS: readonly Permission[] = [
  ...LIFECYCLE_PERMISSIONS,
  ...SERVICE_PERMISSIONS,
  ...cryptoPermissions,
];

export const ROLES = ['platform_admin', 'tenant_admin', 'key_admin', 'key_user', 'auditor'] as const;
export type Role = (typeof ROLES)[number];

const READ: readonly Permission[] = ['kms:keys:read'];

/** The permissions that each role bundles. Crypto use and lifecycle are apart on purpose: only admins hold both. */
export const ROLE_PERMISSIONS: Readonly<Record<Role, ReadonlySet<Permission>>> = {
  platform_admin: new Set(PERMISSIONS),
  tenant_admin: new Set(PERMISSIONS.filter((permission) => permission !== 'kms:tenants:manage')),
  key_admin: new Set<Permission>([
    ...LIFECYCLE_PERMISSIONS.filter((permission) => permission !== 'kms:keys:use'),
    'kms:random',
  ]),
  key_user: new Set<Permission>([...READ, 'kms:keys:use', 'kms:random', ...cryptoPermissions]),
  auditor: new Set<Permission>([...READ, 'kms:audit:read']),
};

/**
 * The permissions of a credential: those of its role and its own, where `kms:keys:use` stands for every operation that
 * uses a key.
 */
export function effectivePermissions(role: Role | null, permissions: readonly Permission[]): ReadonlySet<Permission> {
  const all = new Set<Permission>([...(role === null ? [] : ROLE_PERMISSIONS[role]), ...permissions]);
  if (all.has('kms:keys:use')) for (const permission of cryptoPermissions) all.add(permission);
  return all;
}

/** The permission to use keys in one way. */
export function permissionToUse(operation: CryptoOperation): Permission {
  return `kms:${operation}`;
}

/** Whether a permission is one to use a key, as against managing it. */
export function isCryptoPermission(permission: Permission): boolean {
  return cryptoPermissions.includes(permission);
}
