import { KmsError } from '../errors/kms-error.ts';
import type { TenantId } from '../model/identifiers.ts';
import { type Permission, ROLE_PERMISSIONS } from './permissions.ts';

/** Who calls, after authentication. Everything behind the edge knows only this. */
export interface Caller {
  /** The tenant that the call is for; the credential decided it. */
  readonly tenantId: TenantId;
  /** Who it is: the id of an API token or the `sub` of a JWT. */
  readonly subject: string;
  readonly permissions: ReadonlySet<Permission>;
  /** Facts that policy conditions look at. */
  readonly attributes: { readonly ip: string | null; readonly mfa: boolean };
}

/**
 * Checks that the caller holds a permission.
 *
 * @throws KmsError `FORBIDDEN` naming the permission.
 */
export function requirePermission(caller: Caller, permission: Permission): void {
  if (caller.permissions.has(permission)) return;
  throw new KmsError('FORBIDDEN', `The credential does not hold the permission ${permission}.`, {
    details: { permission },
  });
}

/** Whether the caller is an administrator of the tenant: holds all that the role has. */
export function administersTenant({ permissions }: Caller): boolean {
  for (const permission of ROLE_PERMISSIONS.tenant_admin) if (!permissions.has(permission)) return false;
  return true;
}
