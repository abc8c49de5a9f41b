import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  findPostgresBinaries,
  type PostgresServer,
  type RedisServer,
  startPostgres,
  startRedis,
  startService,
  tempDir,
} from '@qnsp/test-harness';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Answer, send } from './local-service.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const PASSWORD = 'correct horse';
const DATA = Buffer.from('attack at dawn').toString('base64');

const text = readFileSync(join(ROOT, 'docs/operations.md'), 'utf8');
const blocks = [...text.matchAll(/^```\w*\n(.*?)^```$/gms)].map(([, content = '']) => content);
const used = new Set<string>();

/** The one block with these words. */
function blockWith(words: string): string {
  const [found = '', ...others] = blocks.filter((each) => each.includes(words));
  expect([words, found === '', others]).toEqual([words, false, []]);
  used.add(found);
  return found;
}

/** Where the operator works, which becomes the root of every path that the page names. */
const directory = tempDir('qnsp-operator-');
let first: PostgresServer;
let second: PostgresServer;
let redis: RedisServer;

beforeAll(async () => {
  const [certificate, key] = [join(directory.path, 'database-ca.pem'), join(directory.path, 'database.pem')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...subject, '-keyout', key, '-out', certificate],
    {
      stdio: 'ignore',
    },
  );
  chmodSync(key, 0o600);
  chmodSync(directory.path, 0o755);
  // Servers that are started by root run as this user.
  if (process.getuid?.() === 0) chownSync(key, Number(execFileSync('id', ['-u', 'postgres'])), 0);
  first = await startPostgres({ settings: { ssl: 'on', ssl_cert_file: certificate, ssl_key_file: key } });
  [second, redis] = await Promise.all([startPostgres(), startRedis()]);
}, 600_000);
afterAll(async () => {
  await Promise.all([first?.stop(), second?.stop(), redis?.stop()]);
  await directory.remove();
});

/** Runs a block in the shell of the operator, who is asked for a new user's password. */
async function run(script: string, server: PostgresServer): Promise<void> {
  const shell = spawn('sh', ['-euc', script], {
    cwd: directory.path,
    // In a session of its own it has no terminal, and reads the password from its input.
    detached: true,
    stdio: ['pipe', 'ignore', 'pipe'],
    env: {
      PATH: `${findPostgresBinaries() ?? ''}:${process.env['PATH']}`,
      PGHOST: '127.0.0.1',
      PGPORT: String(server.port),
      PGUSER: 'postgres',
    },
  });
  let stderr = '';
  shell.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
  // Most blocks end without reading it.
  shell.stdin.on('error', () => undefined);
  shell.stdin.end(`${PASSWORD}\n${PASSWORD}\n`);
  const [status] = (await once(shell, 'close')) as [number | null];
  const said = stderr.replaceAll(/^(Enter password for new role: |Enter it again: )+\n*/gm, '');
  expect([script, status, said]).toEqual([script, 0, '']);
}

/** The settings that a block starts the service with, on this machine. */
function settingsOf(script: string): Record<string, string> {
  expect(script).toMatch(/\nnpm start\n$/);
  const here = (value: string) => value.replace(/^\/(run\/secrets|etc\/kms|var\/lib)\//, `${directory.path}/`);
  return Object.fromEntries(
    [...script.matchAll(/([A-Z][A-Z_]+)=(\S+)/g)].map(([, name = '', value = '']) => [name, here(value)]),
  );
}

test('every printed block of the page works, in its order', { timeout: 600_000 }, async () => {
  // The scripts are called as from the root of the repository.
  execFileSync('ln', ['-s', join(ROOT, 'deploy'), join(directory.path, 'deploy')]);
  await run(blockWith('CREATE ROLE kms_app NOLOGIN'), first);
  await run(blockWith('REVOKE CONNECT ON DATABASE'), first);

  const url = (server: PostgresServer) =>
    `postgresql://qnsp:${encodeURIComponent(PASSWORD)}@localhost:${server.port}/kms`;
  writeFileSync(join(directory.path, 'database-url'), `${url(first)}\n`);
  const settings = settingsOf(blockWith('npm start'));
  const service = await startService({ env: settings });
  const client = JSON.parse(readFileSync(join(directory.path, 'kms', 'client.json'), 'utf8')) as { apiToken: string };
  const at = (baseUrl: string, method: string, path: string, body?: unknown): Promise<Answer> =>
    send(`${baseUrl}/kms/v1/${path}`, method, client.apiToken, body);
  const seal = async () => {
    const keyId = String((await at(service.baseUrl, 'POST', 'keys', {})).body['keyId']);
    const sealed = await at(service.baseUrl, 'POST', `keys/${keyId}/encrypt`, { plaintext: DATA });
    expect(sealed.status, JSON.stringify(sealed.body)).toBe(200);
    return { keyId, ciphertext: sealed.body['ciphertext'] };
  };
  const [kept, ended] = [await seal(), await seal()];
  await run(blockWith('backup.sh kms kms.dump'), first);
  const shred = { confirmation: `SHRED-${ended.keyId}` };
  expect((await at(service.baseUrl, 'POST', `keys/${ended.keyId}/shred`, shred)).status).toBe(200);
  await run(blockWith('tombstones.sh export'), first);
  await service.stop();

  await run(blockWith('restore.sh --owner qnsp'), second);
  copyFileSync(join(directory.path, 'database-url'), join(directory.path, 'first-url'));
  writeFileSync(join(directory.path, 'database-url'), `${url(second)}\n`);
  const { DATABASE_SSL: _verified, DATABASE_SSL_CA_FILE: _authority, ...plain } = settings;
  const restored = await startService({ env: plain });
  const opened = await at(restored.baseUrl, 'POST', 'decrypt', { ciphertext: kept.ciphertext });
  expect(opened).toMatchObject({ status: 200, body: { plaintext: DATA } });
  expect((await at(restored.baseUrl, 'POST', 'decrypt', { ciphertext: ended.ciphertext })).status).toBe(409);
  await restored.stop();

  await run(blockWith('UPDATE kms.database_copies'), second);
  // What a start makes of it is tested with the backups.
  await run(
    `test "$(psql --dbname=kms -Atc "SELECT count(*) FROM kms.database_copies WHERE place LIKE '% before %'")" -gt 0`,
    second,
  );

  const said = execFileSync('redis-cli', ['-p', String(redis.port)], {
    input: blockWith('ACL SETUSER'),
    encoding: 'utf8',
  });
  expect(said.trim()).toBe('OK');
  expect(blocks.filter((each) => !used.has(each))).toEqual([]);
});
