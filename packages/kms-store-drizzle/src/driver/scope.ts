import { isUuid, KmsError, SYSTEM_TENANT, type TenantId } from '@qnsp/kms-core';
import type { StoreScope } from '@qnsp/kms-core/ports';
import { eq, type SQL, sql } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import type { TransactionOptions } from './driver.ts';
import type { Names } from './names.ts';

/**
 * What is acknowledged is on the disk of the server, whatever the role, the database or the client has for a default: a revocation that a
 * crash took back would be none. Everything but `off` waits for that at least.
 */
const DURABLE =
  `set_config('synchronous_commit', case current_setting('synchronous_commit') when 'off' then 'on' ` +
  `else current_setting('synchronous_commit') end, true), `;

/** The statement that puts a transaction under a scope and answers its time in milliseconds as `now`. */
export function scopeStatement(
  { role }: Pick<Names, 'role'>,
  scope: StoreScope,
  { plans = 'kept' }: TransactionOptions = {},
): string {
  const tenantId = scope.kind === 'tenant' ? scope.tenantId : '';
  if (scope.kind === 'tenant' && !isUuid(tenantId)) throw new KmsError('INTERNAL_ERROR', 'A tenant id is a UUID.');
  return (
    `select set_config('role', '${role}', true), set_config('kms.scope', '${scope.kind}', true), ` +
    `set_config('kms.tenant_id', '${tenantId}', true), ` +
    DURABLE +
    (plans === 'fresh' ? `set_config('plan_cache_mode', 'force_custom_plan', true), ` : '') +
    `(extract(epoch from date_trunc('milliseconds', now())) * 1000)::bigint::text as now`
  );
}

/** The condition that keeps a statement to the rows of a scope, beside row-level security; none in the system scope. */
export function within(scope: StoreScope, tenantId: PgColumn): SQL | undefined {
  return scope.kind === 'system' ? undefined : eq(tenantId, scope.tenantId);
}

/** The same condition for a statement that is built once, to be run with {@link scopeValues}. */
export function withinScope(kind: StoreScope['kind'], tenantId: PgColumn): SQL | undefined {
  return kind === 'system' ? undefined : eq(tenantId, sql.placeholder('scopeTenantId'));
}

export function scopeValues(scope: StoreScope): Readonly<Record<string, unknown>> {
  return scope.kind === 'system' ? {} : { scopeTenantId: scope.tenantId };
}

/** The tenant under which a scope keeps rows of its own. */
export function ownerOf(scope: StoreScope): TenantId {
  return scope.kind === 'system' ? SYSTEM_TENANT : scope.tenantId;
}

export function requireSeen(scope: StoreScope, tenantId: TenantId | null): void {
  if (scope.kind === 'system' || scope.tenantId === tenantId) return;
  throw new KmsError('TENANT_MISMATCH', 'The record belongs to another tenant than the unit of work.');
}

export function requireSystem(scope: StoreScope): void {
  if (scope.kind !== 'system')
    throw new KmsError('INTERNAL_ERROR', 'Only a unit of work in the system scope may do this.');
}
