import type { TenantId } from './identifiers.ts';
import type { TenantRecord } from './tenant.ts';
import { limitsOfTenant, type TenantLimits } from './tenant-limits.ts';

/** A tenant as it is shown. */
export interface TenantDescription {
  readonly tenantId: TenantId;
  readonly name: string;
  readonly state: TenantRecord['state'];
  readonly createdAt: string;
  /** What it has of its own of the limits. */
  readonly limits: TenantLimits;
}

/** A tenant with what is known of its master key. */
export interface TenantDetails extends TenantDescription {
  /** `null` for a tenant that was shredded. */
  readonly masterKey: MasterKeyDescription | null;
}

/** The master key of a tenant. */
export interface MasterKeyDescription {
  /** The version under which everything new is sealed. */
  readonly version: number;
  /** The oldest version that there still is: earlier than `version` until nothing is under it. */
  readonly oldestVersion: number;
  /** When `version` was made. */
  readonly createdAt: string;
  /** How many keys, identity bindings and denials of the tenant there are, and how many of them are under `version`. */
  readonly resealing: { readonly done: number; readonly total: number };
}

/** How a record of a tenant is shown. */
export function describeTenant(record: TenantRecord): TenantDescription {
  const { tenantId, name, state, createdAt } = record;
  return { tenantId, name, state, createdAt: createdAt.toISOString(), limits: limitsOfTenant(record) };
}
