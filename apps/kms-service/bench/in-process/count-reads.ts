import { setTimeout as sleep } from 'node:timers/promises';
import postgres, { type Sql } from 'postgres';

/** What a database was asked for. */
export interface Reads {
  /** A statement outside a transaction is one of its own. */
  readonly transactions: number;
  /** Of the tables of the service. */
  readonly indexScans: number;
  readonly sequentialScans: number;
}

const LIMIT_MS = 30_000;
const POLL_MS = 20;

/**
 * What PostgreSQL counts while `work` runs. The work opens its own connections and ends them: a connection is certain
 * to have reported its share only when it is gone. Nobody else may use the database in the meantime.
 */
export async function countReads(databaseUrl: string, work: () => Promise<void>): Promise<Reads> {
  const sql = postgres(databaseUrl, { max: 1 });
  try {
    await othersGone(sql);
    const before = await countsOf(sql);
    await work();
    await othersGone(sql);
    const after = await countsOf(sql);
    return {
      transactions: after.transactions - before.transactions,
      indexScans: after.indexScans - before.indexScans,
      sequentialScans: after.sequentialScans - before.sequentialScans,
    };
  } finally {
    await sql.end();
  }
}

async function othersGone(sql: Sql): Promise<void> {
  const deadline = performance.now() + LIMIT_MS;
  while (performance.now() < deadline) {
    const [row] = await sql<{ readonly others: number }[]>`
      select count(*)::int as others from pg_stat_activity
      where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()`;
    if (row?.others === 0) return;
    await sleep(POLL_MS);
  }
  throw new Error('somebody else uses the database whose reads are counted');
}

async function countsOf(sql: Sql): Promise<Reads> {
  const [row] = await sql<Reads[]>`
    select d.xact_commit::float8 as transactions,
      (select sum(idx_scan)::float8 from pg_stat_user_tables where schemaname = 'kms') as "indexScans",
      (select sum(seq_scan)::float8 from pg_stat_user_tables where schemaname = 'kms') as "sequentialScans"
    from pg_stat_database d where d.datname = current_database()`;
  if (row === undefined) throw new Error('PostgreSQL counts what is done in a database');
  return row;
}
