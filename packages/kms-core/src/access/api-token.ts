import type { Permission, Role } from './permissions.ts';
import type { TenantId } from '../model/identifiers.ts';
import type { RecordMac } from '../model/key.ts';
import type { RecordFields } from '../model/record-fields.ts';

/** An API token as it is stored: never the token, only its keyed hash. */
export interface ApiTokenRecord {
  readonly tokenId: string;
  /** `null` for a platform-wide credential. */
  readonly tenantId: TenantId | null;
  readonly name: string;
  /** Keyed hash of the token; see `hierarchy/token-authority.ts`. */
  readonly hash: Uint8Array;
  readonly role: Role | null;
  /** Permissions beyond those of the role, or all of them where there is no role. */
  readonly permissions: readonly Permission[];
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
  /** What tokens gained since format 1. */
  readonly fields: RecordFields;
  /** Covers every field above; `null` for a token that was made before records of tokens had one. */
  readonly mac: RecordMac | null;
}

/** A token record that still needs its MAC. */
export type UnsignedApiTokenRecord = Omit<ApiTokenRecord, 'mac'>;
