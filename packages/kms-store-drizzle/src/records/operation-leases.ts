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
