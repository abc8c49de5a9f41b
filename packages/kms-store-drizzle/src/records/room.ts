import type { QuotaKind } from '@qnsp/kms-core/ports';
import { type SQL, sql } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import { kms } from '../schema/columns.ts';

/** Whose row it is that is added. */
interface Added {
  readonly id: PgColumn;
  readonly tenantId: PgColumn;
}

/** As a part of the statement that adds a row: throws `QUOTA_EXCEEDED` where there is no room for it. Not for keys, which have a function of their own. */
export function requireRoom(
  kind: Exclude<QuotaKind, 'keys' | 'keyVersions' | 'operationsPerMonth'>,
  { id, tenantId }: Added,
  atMost: number | undefined,
): SQL {
  return sql`${kms}.require_room(${kind}, ${id}, ${tenantId}, ${atMost ?? null}::bigint)`;
}
