import type { TenantId } from './identifiers.ts';

/** `shredded` is terminal: the tenant's master key is gone and with it every key. */
export type TenantState = 'active' | 'shredded';

export interface TenantRecord {
  readonly tenantId: TenantId;
  readonly name: string;
  readonly state: TenantState;
  readonly createdAt: Date;
}

/** A tenant master key version under the root of one provider. */
export interface MasterKeyWrap {
  readonly tenantId: TenantId;
  /** From 1. The highest version seals; the others open what they sealed until it was sealed again. */
  readonly tmkVersion: number;
  readonly providerId: string;
  /** Which root of the provider it is under: while a root is rotated its provider has two. */
  readonly rootCheckValue: string;
  readonly wrapped: Uint8Array;
}

/** Names one version of a tenant's master key. */
export type MasterKeyName = Pick<MasterKeyWrap, 'tenantId' | 'tmkVersion'>;

/** A root that master keys are wrapped under, by the check value that it had when it was first used. */
export interface RootRecord {
  readonly providerId: string;
  readonly checkValue: string;
}
