import type { TenantRecord } from '@qnsp/kms-core/ports';
import type { tenants } from '../schema/tenants.ts';

/** The row of a tenant. */
export function toTenantRow({ mac, ...tenant }: TenantRecord): typeof tenants.$inferInsert {
  return { ...tenant, ...toMacColumns(mac) };
}

/** The MAC of a tenant as columns. */
export function toMacColumns(mac: TenantRecord['mac']) {
  return { macFormat: mac?.format ?? 1, macTmkVersion: mac?.tmkVersion ?? null, macTag: mac?.tag ?? null };
}

/** The tenant of a row. */
export function toTenantRecord(row: typeof tenants.$inferSelect): TenantRecord {
  const { macFormat: format, macTmkVersion: tmkVersion, macTag: tag, oldestTmkVersion: _, ...tenant } = row;
  return { ...tenant, mac: tmkVersion === null || tag === null ? null : { format, tmkVersion, tag } };
}
