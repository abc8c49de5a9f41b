import type { KeyId, TenantId } from '../model/identifiers.ts';
import { BINDING_CERTIFICATE, fieldOf } from '../model/record-fields.ts';
import type { Identity } from './identity.ts';
import type { IdentityBindingRecord } from './identity-binding.ts';
import { BEYOND_KEYS, effectivePermissions, type Permission } from './permissions.ts';
import { type ProvenClaims, subjectOf } from './proven-claims.ts';

type Bound = Pick<IdentityBindingRecord, 'role' | 'permissions' | 'keys' | 'createdBy' | 'expiresAt' | 'fields'>;

/**
 * Who it is that several bindings of one tenant are for: they may do what any of them allows, each permission with the keys of its
 * own binding only. They last no longer than the first of the bindings, and than the certificate that one of these demands: what they make
 * must not outlast what let them in.
 *
 * @param certificate what the certificate of the connection proves; it is as all of the bindings demand it
 */
export function unitedIdentity(
  proven: ProvenClaims,
  tenantId: TenantId,
  bindings: readonly Bound[],
  certificate?: ProvenClaims,
): Identity {
  const sets = new PermissionSets();
  const onKeys = new Map<KeyId, bigint>();
  let everywhere = 0n;
  let isForAll = false;
  for (const { role, permissions, keys } of bindings) {
    const granted = effectivePermissions(role, permissions);
    if (keys === null) {
      isForAll = true;
      everywhere |= sets.bitsOf(granted);
      continue;
    }
    const onThem = sets.bitsOf([...granted].filter((permission) => !BEYOND_KEYS.has(permission)));
    for (const keyId of keys) onKeys.set(keyId, (onKeys.get(keyId) ?? 0n) | onThem);
  }
  const held = new Set(onKeys.values());
  // What holds for each key that it is for, holds for all that it is for.
  if (!isForAll && held.size > 0) everywhere = [...held].reduce((common, each) => common & each);
  const hasMore = [...held].some((each) => (each & ~everywhere) !== 0n);
  return {
    subject: subjectOf(proven),
    tenantId,
    permissions: sets.setOf(everywhere),
    attributes: { mfa: proven.mfa },
    credential: proven.credential,
    keys: isForAll ? null : new Set(onKeys.keys()),
    boundBy: [...new Set(bindings.map(({ createdBy }) => createdBy))],
    expiresAt: endOf(proven, bindings, certificate),
    ...(hasMore ? { onKeys: sets.setsOf(onKeys) } : {}),
  };
}

/** Sets of permissions as bits: thousands of keys are united as fast as numbers, and equal sets are held once. */
class PermissionSets {
  readonly #bits = new Map<Permission, bigint>();

  bitsOf(permissions: Iterable<Permission>): bigint {
    let bits = 0n;
    for (const permission of permissions) {
      const bit = this.#bits.get(permission) ?? 1n << BigInt(this.#bits.size);
      this.#bits.set(permission, bit);
      bits |= bit;
    }
    return bits;
  }

  setOf(bits: bigint): ReadonlySet<Permission> {
    return new Set([...this.#bits].filter(([, bit]) => (bits & bit) !== 0n).map(([permission]) => permission));
  }

  setsOf<K>(all: ReadonlyMap<K, bigint>): ReadonlyMap<K, ReadonlySet<Permission>> {
    const shared = new Map([...new Set(all.values())].map((bits) => [bits, this.setOf(bits)] as const));
    return new Map([...all].map(([key, bits]) => [key, shared.get(bits) ?? this.setOf(bits)] as const));
  }
}

function endOf(proven: ProvenClaims, bindings: readonly Bound[], certificate: ProvenClaims | undefined): Date {
  const isDemanded = bindings.some(({ fields }) => fieldOf(fields, BINDING_CERTIFICATE) !== undefined);
  const ends = bindings.map(({ expiresAt }) => expiresAt?.getTime() ?? Infinity);
  return new Date(Math.min(proven.expiresAt, (isDemanded ? certificate?.expiresAt : undefined) ?? Infinity, ...ends));
}
