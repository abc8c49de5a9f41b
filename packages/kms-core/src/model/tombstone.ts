import type { KeyId, TenantId } from './identifiers.ts';
import type { RevocationReason } from './key.ts';

/**
 * That something had ended, as was written down outside of the database. `scheduled` is a key whose destruction was set
 * for `at`, `restored` one for which it had been taken back.
 */
export type Tombstone =
  | { readonly kind: 'tenant'; readonly tenantId: TenantId }
  | { readonly kind: 'token'; readonly tokenId: string }
  | {
      readonly kind: 'key';
      readonly tenantId: TenantId;
      readonly keyId: KeyId;
      readonly state: 'suspended' | 'scheduled' | 'restored' | 'revoked' | 'destroyed';
      readonly reason: RevocationReason | null;
      readonly at: Date;
    };
