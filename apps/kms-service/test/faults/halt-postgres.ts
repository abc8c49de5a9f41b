import { setTimeout as sleep } from 'node:timers/promises';
import { createDatabase, startPostgres } from '@qnsp/test-harness';
import { openAdminSession } from './database-invariants.ts';
import { startKms } from './kms-on-postgres.ts';
import { rideOut } from './ride-out.ts';

/** Halts a PostgreSQL of its own for a while, with every connection left open, under a service with load. */
export async function rideOutHalt(options: { readonly haltMs: number; readonly timeoutMs: number }): Promise<void> {
  const server = await startPostgres();
  const { url } = await createDatabase(server.url);
  const kms = await startKms({ databaseUrl: url, timeoutMs: options.timeoutMs, env: { KMS_JOB_INTERVAL_MS: '200' } });
  const sql = openAdminSession(url);
  try {
    await rideOut(kms, sql, {
      strike: async () => {
        server.sigstop();
        await sleep(options.haltMs);
      },
      heal: () => Promise.resolve(server.sigcont()),
      leaves: 'nothing',
      readyz: 503,
    });
  } finally {
    server.sigcont();
    await sql.end({ timeout: 1 });
    await kms.stop();
    await server.stop();
  }
}
