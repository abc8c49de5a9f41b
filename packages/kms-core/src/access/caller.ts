import { KmsError } from '../errors/kms-error.ts';
import type { KeyId, TenantId } from '../model/identifiers.ts';
import type { Identity } from './identity.ts';
import { BEYOND_KEYS, type Permission, ROLE_PERMISSIONS } from './permissions.ts';

/** Who calls, after authentication. Everything behind the edge knows only this. */
export interface Caller {
  /** The tenant that the call is for; the credential decided it. */
  readonly tenantId: TenantId;
  /** Who it is: `subject` of the identity. */
  readonly subject: string;
  readonly permissions: ReadonlySet<Permission>;
  /** Facts that policy conditions look at. */
  readonly attributes: { readonly ip: string | null; readonly mfa: boolean };
  /** The only keys that the credential is for; default: every key. */
  readonly keys?: Identity['keys'];
  /** What the call was made with: nothing that is created with it reaches further. Absent where no credential was presented. */
  readonly credential?: Identity;
  /** What it may do with single keys beyond `permissions`; default: nothing. */
  readonly onKeys?: Identity['onKeys'];
}

/**
 * The caller of one request: who presents the credential, for the tenant that was settled, from an address.
 *
 * @throws KmsError `FORBIDDEN` when the credential is not for this address.
 */
export function callerOf(identity: Identity, tenantId: TenantId, ip: string | null): Caller {
  const { subject, permissions, attributes, keys, onKeys, addresses } = identity;
  if (addresses && !addresses.has(ip))
    throw new KmsError(
      'FORBIDDEN',
      'The credential is limited to other addresses than the one that the call comes from.',
      {
        details: { deniedBy: 'addresses' },
      },
    );
  return {
    tenantId,
    subject,
    permissions,
    attributes: { ip, mfa: attributes.mfa },
    keys,
    onKeys,
    credential: identity,
  };
}

/** Whether the credential of a caller has a permission for one key beyond those that it has for all of its keys. */
export function holdsOnKey({ onKeys }: Caller, permission: Permission, keyId: KeyId): boolean {
  return onKeys?.get(keyId)?.has(permission) === true;
}

/**
 * Checks that the caller holds a permission.
 *
 * @throws KmsError `FORBIDDEN` naming the permission.
 */
export function requirePermission(caller: Caller, permission: Permission): void {
  requireHeld(caller, permission);
  if (caller.keys && BEYOND_KEYS.has(permission))
    throw new KmsError('FORBIDDEN', `The credential is limited to some keys: ${permission} reaches beyond them.`, {
      details: { permission },
    });
}

/**
 * Checks that a tenant is the one that the call is for.
 *
 * @throws KmsError `TENANT_MISMATCH`
 */
export function requireOwnTenant(caller: Pick<Caller, 'tenantId'>, tenantId: TenantId): void {
  if (caller.tenantId !== tenantId) throw new KmsError('TENANT_MISMATCH', 'The credential is for another tenant.');
}

/**
 * Checks that the caller holds a permission, also one that reaches beyond some keys: for what itself sees to it that a credential for
 * some keys gets no further.
 *
 * @throws KmsError `FORBIDDEN` naming the permission.
 */
export function requireHeld(caller: Caller, permission: Permission): void {
  if (!caller.permissions.has(permission)) throw lacks(permission);
}

/**
 * Checks that the credential is for every key of the tenant.
 *
 * @param because why it must be, as the end of the message
 * @throws KmsError `FORBIDDEN`
 */
export function requireEveryKey({ keys }: Caller, because: string): void {
  if (keys) throw new KmsError('FORBIDDEN', `The credential is limited to some keys: ${because}.`);
}

function lacks(permission: Permission): KmsError {
  return new KmsError('FORBIDDEN', `The credential does not have the permission ${permission}.`, {
    details: { permission },
  });
}

/** Whether the caller is an administrator of the tenant: holds all that the role has. */
export function administersTenant({ permissions }: Caller): boolean {
  for (const permission of ROLE_PERMISSIONS.tenant_admin) if (!permissions.has(permission)) return false;
  return true;
}
