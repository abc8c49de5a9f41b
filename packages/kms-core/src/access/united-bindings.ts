import type { KeyId, TenantId } from '../model/identifiers.ts';
import type { Identity } from './identity.ts';
import type { IdentityBindingRecord } from './identity-binding.ts';
import { BEYOND_KEYS, effectivePermissions, type Permission } from './permissions.ts';
import { type ProvenClaims, subjectOf } from './proven-claims.ts';

type Bound = Pick<IdentityBindingRecord, 'role' | 'permissions' | 'keys' | 'expiresAt'>;

/**
 * Who it is that several bindings of one tenant are for: they may do what any of them allows, each permission with the keys of its
 * own binding only. They last no longer than the first of the bindings: what they make must not outlast what let them in.
 */
export function unitedIdentity(proven: ProvenClaims, tenantId: TenantId, bindings: readonly Bound[]): Identity {
  const everywhere = new Set<Permission>();
  const onKeys = new Map<KeyId, Set<Permission>>();
  let isForAll = false;
  for (const { role, permissions, keys } of bindings) {
    const granted = effectivePermissions(role, permissions);
    if (keys === null) {
      isForAll = true;
      for (const permission of granted) everywhere.add(permission);
      continue;
    }
    for (const keyId of keys) {
      const held = onKeys.get(keyId) ?? new Set();
      onKeys.set(keyId, held);
      for (const permission of granted) if (!BEYOND_KEYS.has(permission)) held.add(permission);
    }
  }
  // What holds for each key that it is for, holds for all that it is for.
  if (!isForAll) for (const permission of heldByAll([...onKeys.values()])) everywhere.add(permission);
  const hasMore = [...onKeys.values()].some((held) => [...held].some((permission) => !everywhere.has(permission)));
  return {
    subject: subjectOf(proven),
    tenantId,
    permissions: everywhere,
    attributes: { mfa: proven.mfa },
    credential: proven.credential,
    keys: isForAll ? null : new Set(onKeys.keys()),
    expiresAt: endOf(proven, bindings),
    ...(hasMore ? { onKeys } : {}),
  };
}

function endOf(proven: ProvenClaims, bindings: readonly Bound[]): Date {
  return new Date(Math.min(proven.expiresAt, ...bindings.map(({ expiresAt }) => expiresAt?.getTime() ?? Infinity)));
}

function heldByAll([first, ...rest]: readonly ReadonlySet<Permission>[]): ReadonlySet<Permission> {
  return new Set([...(first ?? [])].filter((permission) => rest.every((held) => held.has(permission))));
}
