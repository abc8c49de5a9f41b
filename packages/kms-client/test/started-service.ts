import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createDatabase, startService, tempDir } from '@qnsp/test-harness';

/** A real service on its own database. */
export interface StartedService {
  readonly baseUrl: string;
  readonly token: string;
  readonly tenantId: string;
  logs(): string;
  end(): Promise<void>;
}

export async function startedService(env: Readonly<Record<string, string>> = {}): Promise<StartedService> {
  const directory = tempDir('qnsp-client-');
  const dataDir = join(directory.path, 'data');
  const database = await createDatabase();
  const service = await startService({
    env: { KMS_EMBEDDED_DEFAULTS: 'true', KMS_DATA_DIR: dataDir, DATABASE_URL: database.url, ...env },
  });
  const { tenantId, apiToken } = JSON.parse(readFileSync(join(dataDir, 'client.json'), 'utf8')) as {
    tenantId: string;
    apiToken: string;
  };
  return {
    baseUrl: service.baseUrl,
    token: apiToken,
    tenantId,
    logs: () => service.logs(),
    async end() {
      // It would stop half a second later, after looking whether something comes over the connections that are kept here.
      await service.kill9();
      await database.drop();
      await directory.remove();
    },
  };
}
