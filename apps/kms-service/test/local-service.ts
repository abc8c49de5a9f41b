import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createDatabase, type Service, startService, tempDir } from '@qnsp/test-harness';

/** A service as `npm start` starts it, with the credentials that it wrote. */
export interface LocalService {
  readonly dataDir: string;
  readonly tenantId: string;
  readonly apiToken: string;
  /** The service as it runs now; `restart` replaces it. */
  readonly service: Service;
  restart(how: 'stop' | 'kill9'): Promise<void>;
  /** Sends JSON with the first token. */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  end(): Promise<void>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Whatever JSON object came back; the tests say what must be in it. */
  readonly body: Readonly<Record<string, unknown>>;
}

/** Starts a service with a directory of its own, on a PostgreSQL database, where it starts in a fraction of the time. */
export async function startLocalService(env: Readonly<Record<string, string>> = {}): Promise<LocalService> {
  const database = await createDatabase();
  return startInDirectory({ DATABASE_URL: database.url, ...env }, () => database.drop());
}

/** Starts a service with an embedded database in a directory of its own. */
export function startEmbeddedService(env: Readonly<Record<string, string>> = {}): Promise<LocalService> {
  return startInDirectory(env, async () => undefined);
}

async function startInDirectory(
  env: Readonly<Record<string, string>>,
  release: () => Promise<void>,
): Promise<LocalService> {
  const directory = tempDir('qnsp-local-');
  const dataDir = join(directory.path, 'data');
  const start = () => startService({ env: { KMS_EMBEDDED_DEFAULTS: 'true', KMS_DATA_DIR: dataDir, ...env } });
  let service = await start();
  const client = JSON.parse(readFileSync(join(dataDir, 'client.json'), 'utf8')) as {
    tenantId: string;
    apiToken: string;
  };
  return {
    dataDir,
    tenantId: client.tenantId,
    apiToken: client.apiToken,
    get service() {
      return service;
    },
    async restart(how) {
      await (how === 'stop' ? service.stop() : service.kill9());
      service = await start();
    },
    call: (method, path, body, headers) => send(`${service.baseUrl}${path}`, method, client.apiToken, body, headers),
    async end() {
      // It would stop half a second later, after looking whether something comes over the connections that are kept here.
      await service.kill9();
      await directory.remove();
      await release();
    },
  };
}

/** Sends one request with JSON and reads the JSON of its answer. */
export async function send(
  url: string,
  method: string,
  token: string | undefined,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(url, {
    method,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: (text === '' ? {} : JSON.parse(text)) as Answer['body'],
  };
}
