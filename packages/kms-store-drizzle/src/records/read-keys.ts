import type { KeyRecord } from '@qnsp/kms-core/ports';
import { and, type SQL } from 'drizzle-orm';
import { keys } from '../schema/keys.ts';
import { within } from '../driver/scope.ts';
import type { Session } from '../driver/session.ts';
import { toWholeKey } from './key-rows.ts';
import { WHOLE_KEY } from './version-texts.ts';

export interface KeySelection {
  /** Names the statement; a connection prepares it once. */
  readonly name: string;
  readonly where: SQL | undefined;
  readonly orderBy?: readonly SQL[];
  readonly limit?: number;
}

/** The keys of the session's scope that fit, each with its versions as of one moment. */
export async function readKeys(session: Session, selection: KeySelection): Promise<KeyRecord[]> {
  const { name, where, orderBy = [], limit } = selection;
  const rows = await session.run((db) => {
    const select = db
      .select(WHOLE_KEY)
      .from(keys)
      .where(and(where, within(session.scope, keys.tenantId)))
      .orderBy(...orderBy)
      .$dynamic();
    return (limit === undefined ? select : select.limit(limit)).prepare(name).execute();
  });
  return rows.map(toWholeKey);
}
