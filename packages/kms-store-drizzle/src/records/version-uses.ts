import type { KeyId } from '@qnsp/kms-core';
import type { KnownUses, VersionUse } from '@qnsp/kms-core/ports';
import { and, asc, inArray, type SQL, sql } from 'drizzle-orm';
import { inOrder } from '../driver/in-order.ts';
import { requireSystem, within } from '../driver/scope.ts';
import type { Session } from '../driver/session.ts';
import { kms } from '../schema/columns.ts';
import { keyVersionUses } from '../schema/key-version-uses.ts';
import { keyVersions } from '../schema/key-versions.ts';

const { keyId, version, protectedAt, processedAt } = keyVersionUses;
const USE = { keyId, version, protectedAt, processedAt };

export async function recordUses(session: Session, uses: readonly VersionUse[]): Promise<void> {
  requireSystem(session.scope);
  if (uses.length === 0) return;
  const values = sql.join(
    uses.map(
      (use) =>
        sql`(${use.keyId}::uuid, ${use.version}::integer, ${timeOf(use.protectedAt)}, ${timeOf(use.processedAt)})`,
    ),
    sql`, `,
  );
  const later = (column: typeof protectedAt | typeof processedAt) =>
    sql`greatest(${column}, excluded.${sql.identifier(column.name)})`;
  await session.run((db) =>
    db
      .insert(keyVersionUses)
      .select(
        // In one order, so that two nodes do not wait for each other.
        sql`select k.tenant_id, k.key_id, k.version, v.protected_at, v.processed_at
          from (values ${values}) as v (key_id, version, protected_at, processed_at)
          join ${keyVersions} k on k.key_id = v.key_id and k.version = v.version order by k.key_id, k.version`,
      )
      .onConflictDoUpdate({
        target: [keyId, version],
        set: { protectedAt: later(protectedAt), processedAt: later(processedAt) },
        setWhere: sql`excluded.protected_at > coalesce(${protectedAt}, '-infinity')
          or excluded.processed_at > coalesce(${processedAt}, '-infinity')`,
      }),
  );
}

export async function lastUses(session: Session, keyIds: readonly KeyId[]): Promise<KnownUses> {
  const where = and(inArray(keyId, [...keyIds]), within(session.scope, keyVersionUses.tenantId));
  const [versions, [known]] = await inOrder([
    session.run((db) => db.select(USE).from(keyVersionUses).where(where).orderBy(asc(keyId), asc(version))),
    session.run((db) =>
      db.select({ since: sql`known.since`.mapWith(Number) }).from(sql`${kms}.uses_known_since() as known (since)`),
    ),
  ]);
  return { since: new Date(known?.since ?? 0), versions };
}

function timeOf(instant: Date | null): SQL {
  return sql`${instant?.toISOString() ?? null}::timestamptz`;
}
