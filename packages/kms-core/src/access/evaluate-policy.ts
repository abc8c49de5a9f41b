import { KmsError } from '../errors/kms-error.ts';
import type { KeyRecord } from '../model/key.ts';
import { administersTenant, type Caller, holdsOnKey, requirePermission } from './caller.ts';
import { compiledPolicy } from './compiled-policy.ts';
import { type Permission, WAY_BACK } from './permissions.ts';

/** A key as far as it decides who may use it. */
export type Guarded = Pick<KeyRecord, 'keyId' | 'policy'>;

/**
 * Decides whether the caller may do something with a key: a matching `deny` wins, but over an administrator's way back, a
 * matching `allow` grants, and where no statement matches the permissions of the credential decide. A policy grants only what
 * its writer held (`grantable-policy.ts`).
 *
 * @throws KmsError `FORBIDDEN`.
 */
export function authorize(caller: Caller, permission: Permission, key: Guarded, now: number): void {
  if (isAllowed(caller, permission, key, now)) return;
  requirePermission(caller, permission);
  if (caller.keys?.has(key.keyId) === false)
    throw new KmsError('FORBIDDEN', 'The credential is limited to other keys.', {
      details: { permission, deniedBy: 'keys' },
    });
  throw new KmsError('FORBIDDEN', `The policy of the key denies ${permission}.`, {
    details: { permission, deniedBy: 'policy' },
  });
}

/** Whether {@link authorize} would let the caller do it. */
export function isAllowed(caller: Caller, permission: Permission, key: Guarded, now: number): boolean {
  // Before the policy: it says who may use the key, and this credential is not meant for that, regardless of its
  // holder.
  if (caller.keys?.has(key.keyId) === false) return false;
  const said = key.policy === null ? 'silent' : compiledPolicy(key.policy).ask(caller, permission, key.keyId, now);
  switch (said) {
    case 'allowed':
      return true;
    case 'silent':
      return caller.permissions.has(permission) || holdsOnKey(caller, permission, key.keyId);
    case 'denied':
      return WAY_BACK.has(permission) && administersTenant(caller);
  }
}
