import { KmsError } from '@qnsp/kms-core';
import { and, eq, sql } from 'drizzle-orm';
import { operationCounts } from '../schema/operation-counts.ts';
import { tenants } from '../schema/tenants.ts';
import { within } from '../driver/scope.ts';
import type { Session } from '../driver/session.ts';

/** The first day of this month, in UTC. */
export const THIS_MONTH = sql`date_trunc('month', transaction_timestamp() at time zone 'UTC')::date`;

export async function addOperations(session: Session, count: number): Promise<number> {
  if (session.scope.kind !== 'tenant') throw new KmsError('INTERNAL_ERROR', 'Operations are counted for one tenant.');
  const own = eq(tenants.tenantId, session.scope.tenantId);
  const [row] = await session.run((db) =>
    db
      .insert(operationCounts)
      .select(sql`select ${tenants.tenantId}, ${THIS_MONTH}, ${count}::bigint from ${tenants} where ${own}`)
      .onConflictDoUpdate({
        target: [operationCounts.tenantId, operationCounts.month],
        set: { operations: sql`${operationCounts.operations} + excluded.operations` },
      })
      .returning({ operations: operationCounts.operations })
      .prepare('add_operations')
      .execute(),
  );
  return row?.operations ?? 0;
}

export async function operationsThisMonth(session: Session): Promise<number> {
  const where = and(within(session.scope, operationCounts.tenantId), eq(operationCounts.month, THIS_MONTH));
  const [row] = await session.run((db) =>
    db
      .select({ operations: sql`coalesce(sum(${operationCounts.operations}), 0)`.mapWith(Number) })
      .from(operationCounts)
      .where(where)
      .prepare('operations_this_month')
      .execute(),
  );
  return row?.operations ?? 0;
}
