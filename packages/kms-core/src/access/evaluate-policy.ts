import { KmsError } from '../errors/kms-error.ts';
import type { KeyRecord } from '../model/key.ts';
import { type Caller, requirePermission } from './caller.ts';
import { isCryptoPermission, type Permission } from './permissions.ts';
import { matchesAddress } from './address-match.ts';
import type { PolicyConditions, PolicyStatement } from './policy-document.ts';

/**
 * Decides whether the caller may do something with a key: a matching `deny` wins, a matching `allow` grants, and where
 * no statement matches the permissions of the credential decide. A policy grants only what its writer held
 * (`operations/put-policy.ts`).
 *
 * @throws KmsError `FORBIDDEN`.
 */
export function authorize(caller: Caller, permission: Permission, key: KeyRecord, now: number): void {
  if (key.policy === null) {
    requirePermission(caller, permission);
    return;
  }
  let granted = caller.permissions.has(permission);
  for (const statement of key.policy.statements) {
    if (!matches(statement, caller, permission, key.keyId, now)) continue;
    if (statement.effect === 'deny') {
      throw new KmsError('FORBIDDEN', `The policy of the key denies ${permission}.`, { details: { permission } });
    }
    granted = true;
  }
  if (!granted) requirePermission(caller, permission);
}

function matches(
  statement: PolicyStatement,
  caller: Caller,
  permission: Permission,
  keyId: string,
  now: number,
): boolean {
  return (
    statement.actions.some((action) => coversAction(action, permission)) &&
    statement.resources.some((resource) => resource === '*' || resource.toLowerCase() === keyId) &&
    (statement.principals === undefined || statement.principals.some((one) => one === '*' || one === caller.subject)) &&
    holds(statement.conditions, caller, now)
  );
}

/** Whether {@link authorize} would let the caller do it. */
export function isAllowed(caller: Caller, permission: Permission, key: KeyRecord, now: number): boolean {
  try {
    authorize(caller, permission, key, now);
    return true;
  } catch (error) {
    if (error instanceof KmsError && error.code === 'FORBIDDEN') return false;
    throw error;
  }
}

/**
 * Whether an action of a statement covers a permission: by name, by a prefix that ends in `*`, or as `kms:keys:use`, which
 * stands for every operation that uses a key, in a policy as in a credential.
 */
export function coversAction(action: string, permission: Permission): boolean {
  if (covers(action, permission)) return true;
  return isCryptoPermission(permission) && covers(action, 'kms:keys:use');
}

function covers(action: string, permission: Permission): boolean {
  return action.endsWith('*') ? permission.startsWith(action.slice(0, -1)) : action === permission;
}

function holds(conditions: PolicyConditions | undefined, caller: Caller, now: number): boolean {
  if (conditions === undefined) return true;
  if (conditions.tenant !== undefined && !conditions.tenant.includes(caller.tenantId)) return false;
  if (conditions.mfa !== undefined && conditions.mfa !== caller.attributes.mfa) return false;
  if (conditions.ip !== undefined && !matchesAddress(caller.attributes.ip, conditions.ip)) return false;
  const { notBefore, notAfter } = conditions.time ?? {};
  if (notBefore !== undefined && now < Date.parse(notBefore)) return false;
  return notAfter === undefined || now < Date.parse(notAfter);
}
