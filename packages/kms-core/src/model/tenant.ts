import type { TenantId } from './identifiers.ts';
import type { RecordMac } from './key.ts';
import type { RecordFields } from './record-fields.ts';

/** `shredded` is terminal: the tenant's master key is gone and with it every key. */
export type TenantState = 'active' | 'shredded';

/** A tenant, as it is stored. */
export interface TenantRecord {
  readonly tenantId: TenantId;
  readonly name: string;
  readonly state: TenantState;
  readonly createdAt: Date;
  /** What tenants gained since format 1. */
  readonly fields: RecordFields;
  /** Covers every field above; `null` for a tenant that was made before records of tenants had one, and for the service's own. */
  readonly mac: RecordMac | null;
}

/** A tenant record that still needs its MAC. */
export type UnsignedTenantRecord = Omit<TenantRecord, 'mac'>;

/** A tenant master key version under the root of one provider. */
export interface MasterKeyWrap {
  readonly tenantId: TenantId;
  /** From 1. The highest version seals; the others open what they sealed until it was sealed again. */
  readonly tmkVersion: number;
  readonly providerId: string;
  /** Which root of the provider it is under: while a root is rotated its provider has two. */
  readonly rootCheckValue: string;
  /** 2 says that the record of the tenant has a MAC: the wrap opens as what it was made only, so that the MAC cannot be taken away. */
  readonly format: number;
  readonly wrapped: Uint8Array;
}

/** Names one version of a tenant's master key. */
export type MasterKeyName = Pick<MasterKeyWrap, 'tenantId' | 'tmkVersion'>;

/** A root that master keys are wrapped under, by the check value that it had when it was first used. */
export interface RootRecord {
  readonly providerId: string;
  readonly checkValue: string;
}
