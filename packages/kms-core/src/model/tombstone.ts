import type { KeyId, TenantId } from './identifiers.ts';
import type { RevocationReason } from './key.ts';

/**
 * That something had ended, as recorded outside the database. `scheduled` is a key whose destruction was set for `at`,
 * `restored` one for which it had been cancelled.
 */
export type Tombstone =
  | { readonly kind: 'tenant'; readonly tenantId: TenantId }
  | { readonly kind: 'token'; readonly tokenId: string }
  | { readonly kind: 'identity'; readonly tenantId: TenantId; readonly bindingId: string }
  | {
      readonly kind: 'key';
      readonly tenantId: TenantId;
      readonly keyId: KeyId;
      readonly state: 'suspended' | 'scheduled' | 'restored' | 'revoked' | 'destroyed';
      readonly reason: RevocationReason | null;
      readonly at: Date;
    };
