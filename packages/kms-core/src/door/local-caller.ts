import type { TenantId } from '../model/identifiers.ts';
import { checkCaller, checkGrants } from '../bounds/check-caller.ts';
import type { Caller } from '../access/caller.ts';
import { effectivePermissions, type Permission, type Role } from '../access/permissions.ts';

/** Who calls, as the application itself knows it. */
export interface LocalCaller {
  readonly tenantId: TenantId;
  /** Who it is, for policies and evidence: a user, a part of the application. */
  readonly subject: string;
  readonly role?: Role;
  /** Beside those of the role. */
  readonly permissions?: readonly Permission[];
  /** The address that conditions of policies look at; default: unknown. */
  readonly ip?: string | null;
  /** Whether the application asked for a second factor; default: no. */
  readonly mfa?: boolean;
}

/**
 * A caller whom the application authenticated itself, for example by its own session.
 *
 * @throws KmsError `BAD_REQUEST` for what is no tenant, subject, role, permission or address.
 * @example
 * import { localCaller } from '@qnsp/kms-core';
 * const user = { id: 'ada' };
 * const caller = localCaller({ tenantId, subject: user.id, role: 'key_user' });
 * console.log(caller.permissions.has('kms:encrypt'), caller.permissions.has('kms:keys:create')); // true false
 */
export function localCaller({
  tenantId,
  subject,
  role,
  permissions = [],
  ip = null,
  mfa = false,
}: LocalCaller): Caller {
  checkGrants(role, permissions);
  const caller: Caller = {
    tenantId,
    subject,
    permissions: effectivePermissions(role ?? null, permissions),
    attributes: { ip, mfa },
  };
  checkCaller(caller);
  return caller;
}
