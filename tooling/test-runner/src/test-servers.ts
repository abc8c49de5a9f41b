import { findPkcs11Module, startPostgres, startRedis } from '@qnsp/test-harness';

export interface TestServers {
  /** The variables by which the tests find the servers. */
  readonly environment: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** Starts what the environment does not already name. */
export async function startTestServers(environment: NodeJS.ProcessEnv): Promise<TestServers> {
  const stops: (() => Promise<void>)[] = [];
  const found: Record<string, string> = {};
  if (environment['TEST_DATABASE_URL'] === undefined) {
    // It survives nothing: tests that kill a server start their own. What waits for no disk is done sooner.
    const settings = { max_connections: '300', fsync: 'off', full_page_writes: 'off' };
    const server = await startPostgres({ settings });
    stops.push(() => server.stop());
    found['TEST_DATABASE_URL'] = server.url;
  }
  if (environment['TEST_REDIS_URL'] === undefined) {
    const server = await startRedis();
    stops.push(() => server.stop());
    found['TEST_REDIS_URL'] = server.url;
  }
  const pkcs11Module = findPkcs11Module();
  if (pkcs11Module !== undefined) found['TEST_PKCS11_MODULE'] = pkcs11Module;
  return {
    environment: found,
    async stop() {
      await Promise.all(stops.map((stop) => stop()));
    },
  };
}
