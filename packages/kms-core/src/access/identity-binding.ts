import type { KeyId, TenantId } from '../model/identifiers.ts';
import type { RecordMac } from '../model/key.ts';
import type { RecordFields } from '../model/record-fields.ts';
import type { Permission, Role } from './permissions.ts';

/** What claims must be: each by its name a value, or the beginning of one and `*`. All of them have to match. */
export type ClaimMatch = Readonly<Record<string, string>>;

/** What a tenant lets those do who prove certain claims, as it is stored. */
export interface IdentityBindingRecord {
  readonly bindingId: string;
  readonly tenantId: TenantId;
  /** Who has to have said it: the `iss` of a JWT. */
  readonly issuer: string;
  readonly match: ClaimMatch;
  /** What it is found by; see `found-by.ts`. */
  readonly foundBy: Uint8Array;
  readonly role: Role | null;
  /** Permissions beyond those of the role, or all of them where there is no role. */
  readonly permissions: readonly Permission[];
  /** The only keys that it is for; `null` is every key. */
  readonly keys: readonly KeyId[] | null;
  readonly createdAt: Date;
  /** The subject of the caller who made it. */
  readonly createdBy: string;
  readonly expiresAt: Date | null;
  /** A removed binding stays, so that its row from before is not authentic in its place. */
  readonly removedAt: Date | null;
  readonly fields: RecordFields;
  /** Covers every field above, under the master key of the tenant. */
  readonly mac: RecordMac;
}

/** The claims that a denial can name: the subject of all credentials of an issuer, or the id of one of them. */
export const DENIABLE_CLAIMS = ['sub', 'jti'] as const;

/**
 * That a tenant takes no credentials of somebody that were issued before a time, as it is stored. One that was lifted stays until it
 * ends, with fields that say so, so that its row from before is not authentic in its place.
 */
export interface IdentityDenialRecord {
  readonly denialId: string;
  readonly tenantId: TenantId;
  readonly issuer: string;
  readonly claim: (typeof DENIABLE_CLAIMS)[number];
  readonly value: string;
  /** What it is found by; see `found-by.ts`. */
  readonly foundBy: Uint8Array;
  /** Credentials that were issued before this do not count. */
  readonly before: Date;
  /** When all that it denies has expired. */
  readonly endsAt: Date;
  readonly createdAt: Date;
  readonly createdBy: string;
  readonly fields: RecordFields;
  /** Covers every field above, under the master key of the tenant. */
  readonly mac: RecordMac;
}

/** The records without their MACs. */
export type UnsignedIdentityBinding = Omit<IdentityBindingRecord, 'mac'>;
export type UnsignedIdentityDenial = Omit<IdentityDenialRecord, 'mac'>;
