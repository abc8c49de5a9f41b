import type { KeyId } from '@qnsp/kms-core';
import type { DueKey, KeyCounts, KeyPage, KeyQuery, KeyRecord } from '@qnsp/kms-core/ports';
import { and, asc, count, desc, eq, lt, sql } from 'drizzle-orm';
import { keys } from '../schema/keys.ts';
import { tenants } from '../schema/tenants.ts';
import { requireSystem, within } from '../driver/scope.ts';
import type { Session } from '../driver/session.ts';
import { operationsThisMonth } from './operation-counts.ts';
import { readKeys } from './read-keys.ts';

/** The conditions of the partial indexes, in their words: with a parameter the planner could not tell that they fit. */
const ROTATES = sql`state = 'active' and rotation_auto and next_rotation_at is not null`;
const DIES = sql`destroy_at is not null and state <> 'destroyed'`;

export async function listKeys(session: Session, query: KeyQuery): Promise<KeyPage> {
  const { limit, after, state, algorithm, purpose, name } = query;
  const conditions = [
    state === undefined ? undefined : eq(keys.state, state),
    algorithm === undefined ? undefined : eq(keys.algorithm, algorithm),
    purpose === undefined ? undefined : sql`${keys.purpose} = ${purpose}`,
    name === undefined ? undefined : eq(keys.name, name),
    after === null
      ? undefined
      : sql`(${keys.createdAt}, ${keys.keyId}) < (${after.createdAt.toISOString()}::timestamptz, ${after.keyId}::uuid)`,
  ];
  const found = await readKeys(session, {
    name: 'list_keys',
    where: and(...conditions),
    orderBy: [desc(keys.createdAt), desc(keys.keyId)],
    limit: limit + 1,
  });
  return { items: found.slice(0, limit), more: found.length > limit };
}

export async function countKeys(session: Session): Promise<KeyCounts> {
  const groups = await session.run((db) =>
    db
      .select({ state: keys.state, algorithm: keys.algorithm, count: count() })
      .from(keys)
      .where(within(session.scope, keys.tenantId))
      .groupBy(keys.state, keys.algorithm)
      .prepare('count_keys')
      .execute(),
  );
  const byState: Record<string, number> = {};
  const byAlgorithm: Record<string, number> = {};
  for (const group of groups) {
    byState[group.state] = (byState[group.state] ?? 0) + group.count;
    byAlgorithm[group.algorithm] = (byAlgorithm[group.algorithm] ?? 0) + group.count;
  }
  return { byState, byAlgorithm, operationsThisMonth: await operationsThisMonth(session) };
}

export async function childrenOf(session: Session, keyId: KeyId): Promise<readonly KeyId[]> {
  const where = and(eq(keys.parentKeyId, keyId), within(session.scope, keys.tenantId));
  const rows = await session.run((db) =>
    db.select({ keyId: keys.keyId }).from(keys).where(where).orderBy(keys.keyId).prepare('children').execute(),
  );
  return rows.map((row) => row.keyId);
}

export async function lockDueKeys(
  session: Session,
  due: 'rotation' | 'destruction',
  limit: number,
  after?: DueKey,
): Promise<readonly KeyRecord[]> {
  requireSystem(session.scope);
  const [condition, at] = due === 'rotation' ? [ROTATES, keys.nextRotationAt] : [DIES, keys.destroyAt];
  // A shredded tenant's keys can no longer be worked on: nothing opens or authenticates them.
  const living = sql`exists (select from ${tenants} t where t.tenant_id = ${keys.tenantId} and t.state = 'active')`;
  const rest = after && sql`(${at}, ${keys.keyId}) > (${after.at.toISOString()}::timestamptz, ${after.keyId}::uuid)`;
  const locked = await session.run((db) =>
    db
      .select({ keyId: keys.keyId })
      .from(keys)
      .where(and(condition, sql`${at} <= now()`, rest, living))
      .orderBy(asc(at), asc(keys.keyId))
      .limit(limit)
      .for('update', { skipLocked: true })
      .prepare(`lock_due_${due}${rest === undefined ? '' : '_rest'}`)
      .execute(),
  );
  if (locked.length === 0) return [];
  const ids = locked.map(({ keyId }) => keyId);
  const found = await readKeys(session, {
    name: 'read_due',
    where: sql`${keys.keyId} = any(${`{${ids.join(',')}}`}::uuid[])`,
  });
  return found.sort((a, b) => ids.indexOf(a.keyId) - ids.indexOf(b.keyId));
}

export function scheduledRotations(
  session: Session,
  limit: number,
  before: Date | null,
): Promise<readonly KeyRecord[]> {
  return readKeys(session, {
    name: 'scheduled_rotations',
    where: and(ROTATES, before === null ? undefined : lt(keys.nextRotationAt, before)),
    orderBy: [asc(keys.nextRotationAt), asc(keys.keyId)],
    limit,
  });
}
