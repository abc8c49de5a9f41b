import { isCryptoPermission, type Permission, PERMISSIONS, USE_KEYS } from './permissions.ts';

/**
 * What each action covers: a permission by its name, those with a beginning that ends in `*`, and for `kms:keys:use` every
 * operation that uses a key, in a policy as in a credential.
 */
const known = new Map<string, readonly Permission[]>();

/** The permissions that actions of a statement cover. */
export function coveredBy(actions: readonly string[]): ReadonlySet<Permission> {
  const covered = new Set<Permission>();
  for (const action of new Set(actions)) for (const permission of coveredByOne(action)) covered.add(permission);
  return covered;
}

function coveredByOne(action: string): readonly Permission[] {
  const held = known.get(action);
  if (held !== undefined) return held;
  const covered = PERMISSIONS.filter((permission) => covers(action, permission));
  // There are only this many actions that cover something.
  if (covered.length > 0) known.set(action, covered);
  return covered;
}

function covers(action: string, permission: Permission): boolean {
  return coversName(action, permission) || (isCryptoPermission(permission) && coversName(action, USE_KEYS));
}

function coversName(action: string, permission: Permission): boolean {
  return action.endsWith('*') ? permission.startsWith(action.slice(0, -1)) : action === permission;
}
