import type { Permission, Role } from '../access/permissions.ts';
import type { TenantId } from './identifiers.ts';

/** An API token as it is stored: never the token, only its keyed hash. */
export interface ApiTokenRecord {
  readonly tokenId: string;
  /** `null` for a platform-wide credential. */
  readonly tenantId: TenantId | null;
  readonly name: string;
  /** HMAC-SHA-256 of the token under the service's pepper. */
  readonly hash: Uint8Array;
  readonly role: Role | null;
  /** Permissions beyond those of the role, or all of them where there is no role. */
  readonly permissions: readonly Permission[];
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
}
