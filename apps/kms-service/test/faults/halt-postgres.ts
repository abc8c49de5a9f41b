import { setTimeout as sleep } from 'node:timers/promises';
import { createDatabase, startPostgres } from '@qnsp/test-harness';
import { startKms } from './kms-on-postgres.ts';
import { rideOut } from './ride-out.ts';

/** Halts a PostgreSQL of its own for a while, with every connection left open, under a service with load. */
export async function rideOutHalt(options: { readonly haltMs: number; readonly timeoutMs: number }): Promise<void> {
  const server = await startPostgres();
  const { url } = await createDatabase(server.url);
  const kms = await startKms({ databaseUrl: url, timeoutMs: options.timeoutMs, env: { KMS_JOB_INTERVAL_MS: '200' } });
  try {
    await rideOut(kms, url, {
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
    await kms.stop();
    await server.stop();
  }
}
