import type { KeyId } from '@qnsp/kms-core';
import type { OperationLease } from '@qnsp/kms-core/ports';
import { and, eq, sql } from 'drizzle-orm';
import { operationLeases } from '../schema/key-versions.ts';
import { keys } from '../schema/keys.ts';
import { within } from '../driver/scope.ts';
import type { Session } from '../driver/session.ts';

/**
 * Takes operations from a budget in one statement: the counter's row is locked when it is there, and the unique index
 * decides between two units that make it, so that no operation is granted twice.
 */
export async function leaseOperations(session: Session, lease: OperationLease): Promise<number> {
  const { keyId, version, budget, count: wanted } = lease;
  const own = and(eq(keys.keyId, keyId), within(session.scope, keys.tenantId));
  const grant = sql`least(${wanted}::bigint, ${budget}::bigint - ${operationLeases.granted})`;
  const first = sql`least(${wanted}::bigint, ${budget}::bigint)`;
  const [lent] = await session.run((db) =>
    db
      .insert(operationLeases)
      .select(
        sql`select ${keys.tenantId}, ${keys.keyId}, ${version}::integer, ${first}, ${first} from ${keys} where ${own}`,
      )
      .onConflictDoUpdate({
        target: [operationLeases.keyId, operationLeases.version],
        set: { granted: sql`${operationLeases.granted} + ${grant}`, lastGrant: grant },
        setWhere: sql`${operationLeases.granted} < ${budget}::bigint`,
      })
      .returning({ granted: operationLeases.lastGrant })
      .prepare('lease_operations')
      .execute(),
  );
  return lent?.granted ?? 0;
}

/** What was taken so from the budgets of keys: by key and by version. */
export async function leasedOperations(
  session: Session,
  keyIds: readonly KeyId[],
): Promise<ReadonlyMap<KeyId, ReadonlyMap<number, number>>> {
  const leased = new Map<KeyId, Map<number, number>>();
  if (keyIds.length === 0) return leased;
  const { keyId, version, granted, tenantId } = operationLeases;
  const asked = sql`${keyId} = any(${`{${keyIds.join(',')}}`}::uuid[])`;
  const rows = await session.run((db) =>
    db
      .select({ keyId, version, granted })
      .from(operationLeases)
      .where(and(asked, within(session.scope, tenantId)))
      .prepare('leased_operations')
      .execute(),
  );
  for (const row of rows) {
    const counters = leased.get(row.keyId) ?? new Map<number, number>();
    leased.set(row.keyId, counters.set(row.version, row.granted));
  }
  return leased;
}
