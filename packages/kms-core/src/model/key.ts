import type { KeyPurpose } from '../algorithms/registry.ts';
import type { PolicyDocument } from './policy-document.ts';
import type { KeyState, VersionState } from './states.ts';
import type { KeyId, TenantId } from './identifiers.ts';
import type { Metadata } from './metadata.ts';
import type { RecordFields } from './record-fields.ts';

/** Every protection level. */
export const PROTECTION_LEVELS = ['software', 'hsm'] as const;
/** Where the material of a key lives: sealed in the database, or in an HSM. */
export type ProtectionLevel = (typeof PROTECTION_LEVELS)[number];

/** Where the material of a version is. */
export type VersionMaterial =
  | {
      readonly kind: 'sealed';
      /** The version of the tenant master key that sealed it. */
      readonly tmkVersion: number;
      readonly sealed: Uint8Array;
    }
  | {
      readonly kind: 'resident';
      /** How the HSM finds the object again; says nothing about the key itself. */
      readonly handle: Uint8Array;
    }
  | { readonly kind: 'none' };

/** One version of a key. Its number and its material never change; the material can only go away. */
export interface KeyVersionRecord {
  /** From 1, without gaps. */
  readonly version: number;
  readonly state: VersionState;
  /** The platform id of the algorithm. Versions differ in it after an upgrade. */
  readonly algorithm: string;
  readonly origin: 'generated' | 'imported';
  /** The root or HSM provider that protects it. */
  readonly provider: string;
  readonly material: VersionMaterial;
  /** SubjectPublicKeyInfo in DER, for key pairs. */
  readonly publicKey: Uint8Array | null;
  readonly createdAt: Date;
  /** What versions gained since format 1. */
  readonly fields: RecordFields;
}

/** When a key is rotated by itself, as it is stored. */
export interface RotationSettings {
  readonly periodSeconds: number | null;
  readonly auto: boolean;
  /** How many versions remain usable, including the active one; `null` keeps all. */
  readonly retainVersions: number | null;
  readonly nextRotationAt: Date | null;
}

/** After how many operations, or when, a key may no longer be used. */
export interface UsageLimits {
  /** How many operations a key may perform in its lifetime; `null` means no limit. */
  readonly maxOperations: number | null;
  readonly expiresAt: Date | null;
}

/** Why keys are revoked. */
export const REVOCATION_REASONS = [
  'suspected_compromise',
  'policy_violation',
  'end_of_life',
  'crypto_weakness',
] as const;
/** One of {@link REVOCATION_REASONS}. */
export type RevocationReason = (typeof REVOCATION_REASONS)[number];

/** A key as it is stored. Everything in it is covered by its MAC. */
export interface KeyRecord {
  readonly tenantId: TenantId;
  readonly keyId: KeyId;
  readonly name: string | null;
  readonly algorithm: string;
  readonly purpose: KeyPurpose;
  readonly protectionLevel: ProtectionLevel;
  readonly state: KeyState;
  readonly stateBeforeDestroy: 'active' | 'suspended' | null;
  readonly revocation: { readonly reason: RevocationReason; readonly at: Date } | null;
  readonly currentVersion: number;
  /** All versions, ascending. */
  readonly versions: readonly KeyVersionRecord[];
  readonly rotation: RotationSettings;
  readonly usageLimits: UsageLimits;
  readonly policy: PolicyDocument | null;
  readonly metadata: Metadata;
  /** The key that protects this one in the tenant's own hierarchy; revocation with `cascade` follows it. */
  readonly parentKeyId: KeyId | null;
  /** Counts the changes of the record, from 1. */
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly destroyAt: Date | null;
  /** What keys gained since format 1. */
  readonly fields: RecordFields;
  readonly mac: RecordMac;
}

/** The MAC over a record, the format of what it covers, and the version of the tenant master key that made it. */
export interface RecordMac {
  /** See `hierarchy/record-formats.ts`. */
  readonly format: number;
  readonly tmkVersion: number;
  readonly tag: Uint8Array;
}

/** A record that still needs its MAC. */
export type UnsignedKeyRecord = Omit<KeyRecord, 'mac'>;
