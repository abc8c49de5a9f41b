import { spawn, execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  createDatabase,
  type PostgresServer,
  serviceEntry,
  startPostgres,
  tempDir,
  type TestDatabase,
} from '@qnsp/test-harness';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

/** A certificate for `localhost` of a test authority, and another authority. */
const certificate = (name: string): string =>
  fileURLToPath(new URL(`../../../packages/kms-store-drizzle/test/fixtures/${name}`, import.meta.url));

const directory = tempDir('qnsp-database-');
let server: PostgresServer;
let database: TestDatabase;

beforeAll(async () => {
  const key = join(directory.path, 'server.key');
  copyFileSync(certificate('server.key'), key);
  const pem = join(directory.path, 'server.pem');
  copyFileSync(certificate('server.pem'), pem);
  chmodSync(key, 0o600);
  // The server runs as a user of its own where the tests run as root, and reads only a key of its own.
  if (process.getuid?.() === 0) chownSync(key, Number(execFileSync('id', ['-u', 'postgres'])), 0);
  server = await startPostgres({ settings: { ssl: 'on', ssl_cert_file: pem, ssl_key_file: key } });
  database = await createDatabase(server.url);
});
afterAll(async () => {
  await server.stop();
  await directory.remove();
});

/** Starts the service for something that ends by itself. */
async function run(env: Readonly<Record<string, string>>) {
  const url = new URL(database.url);
  url.hostname = 'localhost';
  const child = spawn(process.execPath, [serviceEntry()], {
    env: {
      PATH: process.env['PATH'],
      HOST: '127.0.0.1',
      DATABASE_URL: url.href,
      KMS_ROOT_KEY: randomBytes(32).toString('base64'),
      ...env,
    },
    cwd: directory.path,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()));
  const code = await new Promise((resolve) => void child.once('close', resolve));
  return { code, ...output };
}

describe('a start on a database', { timeout: 600_000 }, () => {
  test('that lacks migrations ends when it may not apply them, and says what to do', async () => {
    const { code, stderr } = await run({ KMS_MIGRATE: 'off' });
    expect(stderr).toMatch(/^The database lacks \d+ migration\(s\), .* Start one that migrates first\.\n$/);
    expect(code).toBe(1);
  });

  test('over TLS ends when another authority vouches for the server', async () => {
    const settings = { KMS_MIGRATE: 'only', DATABASE_SSL: 'verify-full' };
    const { code, stderr } = await run({ ...settings, DATABASE_SSL_CA_FILE: certificate('other-ca.pem') });
    expect(stderr).toMatch(
      /^ {2}DATABASE_SSL_CA_FILE: .*certificate of the server is not trusted.*name the authority/m,
    );
    expect(code).toBe(78);
  });

  test('only to migrate it, over verified TLS, ends well', async () => {
    const settings = { KMS_MIGRATE: 'only', DATABASE_SSL: 'verify-full' };
    const { code, stdout } = await run({ ...settings, DATABASE_SSL_CA_FILE: certificate('ca.pem') });
    expect(stdout).toContain('the database is up to date');
    expect(code).toBe(0);
  });
});
