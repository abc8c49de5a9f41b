import type { KeyId, TenantId } from '../model/identifiers.ts';
import type { AddressSet } from './address-set.ts';
import type { TenantLimits } from '../model/tenant-limits.ts';
import type { Permission } from './permissions.ts';

/** What an identity was proved by. */
export type CredentialKind = 'api-token' | 'jwt' | 'certificate' | 'sigv4';

/** Who presents a credential that holds, and what it lets them do; for which tenant a call is, is settled after it. */
export interface Identity {
  /** The id of an API token; of a credential of an issuer the issuer, `#`, and whom it names. */
  readonly subject: string;
  /** `null` for a credential of the platform. */
  readonly tenantId: TenantId | null;
  readonly permissions: ReadonlySet<Permission>;
  /** What the credential proves beside who it is, for the conditions of policies. */
  readonly attributes: { readonly mfa: boolean };
  readonly credential: CredentialKind;
  /** The only keys that the credential is for; `null` is every key. */
  readonly keys: ReadonlySet<KeyId> | null;
  /** The only addresses that it is taken from; default: every address. */
  readonly addresses?: AddressSet | null;
  /** How many units of cost it may take in a second; default: as many as its tenant. */
  readonly rate?: number | null;
  /** What its tenant has of its own of the limits, where that is anything; default: what holds for all tenants. */
  readonly tenantLimits?: TenantLimits | undefined;
  /** When it ends by itself: it expires, or was rotated and its overlap is over; default: never. Nothing that is created with it is valid for longer. */
  readonly expiresAt?: Date | null;
  /** Who made the bindings by which it was let in; absent for an API token. */
  readonly boundBy?: readonly string[];
  /** The API token that was presented. Tokens that replaced one another have one subject. */
  readonly tokenId?: string;
  /** What it may do with single keys of those beyond `permissions`, which hold for all of them. */
  readonly onKeys?: ReadonlyMap<KeyId, ReadonlySet<Permission>> | undefined;
}
