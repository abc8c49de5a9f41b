import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { KmsError } from '@qnsp/kms-core';
import { SILENT_FEED } from '@qnsp/kms-core/ports';
import {
  createDatabase,
  freePort,
  type Pgbouncer,
  type PostgresServer,
  startPgbouncer,
  startPostgres,
  tempDir,
} from '@qnsp/test-harness';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openCaches } from '../src/caches.ts';
import { migrate } from '../src/compose.ts';
import { readCertificate } from '../src/config/certificate-file.ts';
import { ConfigurationError } from '../src/config/configuration-error.ts';
import { readConfig } from '../src/config/env.ts';
import { makeLogs } from '../src/http/logger.ts';
import { diagnose } from '../src/diagnosis.ts';

/** A certificate for `localhost` of a test authority, and another authority. */
const certificate = (name: string): string =>
  fileURLToPath(new URL(`../../../packages/kms-store-drizzle/test/fixtures/${name}`, import.meta.url));

const PASSWORD = 'hunter2-right';
const WRONG = 'hunter2-wrong';
const directory = tempDir('qnsp-refusals-');
const file = (name: string): string => join(directory.path, name);
const { log } = makeLogs({ logLevel: 'silent' });
const rootKey = randomBytes(32).toString('base64');

let server: PostgresServer;
let plain: PostgresServer;
let pooler: Pgbouncer;
let closedPort: number;

beforeAll(async () => {
  copyFileSync(certificate('server.key'), file('server.key'));
  copyFileSync(certificate('server.pem'), file('server.pem'));
  chmodSync(file('server.key'), 0o600);
  // The server runs as a user of its own where the tests run as root, and reads only a key of its own.
  if (process.getuid?.() === 0) chownSync(file('server.key'), Number(execFileSync('id', ['-u', 'postgres'])), 0);
  const tls = { ssl: 'on', ssl_cert_file: file('server.pem'), ssl_key_file: file('server.key') };
  [server, plain] = await Promise.all([startPostgres({ password: PASSWORD, settings: tls }), startPostgres()]);
  pooler = await startPgbouncer({ serverUrl: plain.url, mode: 'statement' });
  closedPort = await freePort();
  const sql = postgres(server.url, { max: 1, onnotice: () => undefined });
  await sql.unsafe(`create role guest login password '${PASSWORD}'`);
  await sql.unsafe('create database closed');
  await sql.unsafe('revoke connect on database closed from public');
  await sql.end();
  writeFileSync(file('no.pem'), 'not a certificate\n');
  writeFileSync(file('broken.pem'), '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
});
afterAll(async () => {
  await pooler.stop();
  await Promise.all([server.stop(), plain.stop()]);
  await directory.remove();
});

/** What a start on these settings would end with, if only the database is asked for. */
async function attempt(env: Readonly<Record<string, string>>): Promise<{ code: number; message: string }> {
  try {
    const config = readConfig({ KMS_ROOT_KEY: rootKey, KMS_MIGRATE: 'only', ...env });
    await migrate(config.database, log);
    return { code: 0, message: '' };
  } catch (error) {
    if (error instanceof ConfigurationError) return { code: 78, message: error.message };
    if (KmsError.is(error)) return { code: 1, message: error.message };
    throw error;
  }
}

const at = (place: string, password = PASSWORD): string => `postgresql://postgres:${password}@${place}`;
const tlsPlace = (host = 'localhost'): string => `${host}:${server.port}/postgres`;

type Case = readonly [name: string, env: () => Readonly<Record<string, string>>, code: number, message: RegExp];

const CASES: readonly Case[] = [
  [
    'a wrong password',
    () => ({ DATABASE_URL: at(tlsPlace(), WRONG) }),
    78,
    /DATABASE_URL: .*password authentication failed for user "postgres": correct the password/,
  ],
  [
    'a database that is not there',
    () => ({ DATABASE_URL: at(`localhost:${server.port}/nowhere`) }),
    78,
    /DATABASE_URL: .*database "nowhere" does not exist: create it, or correct its name/,
  ],
  [
    'a user that is not there',
    () => ({ DATABASE_URL: `postgresql://nobody@127.0.0.1:${plain.port}/postgres` }),
    78,
    /DATABASE_URL: .*role "nobody" does not exist: admit the user/,
  ],
  [
    'a database that the user may not connect to',
    () => ({ DATABASE_URL: `postgresql://guest:${PASSWORD}@localhost:${server.port}/closed` }),
    78,
    /DATABASE_URL: .*permission denied for database "closed": grant it/,
  ],
  [
    'a host that nobody knows',
    () => ({ DATABASE_URL: at('no..where:5432/kms') }),
    78,
    /DATABASE_URL: .*no machine has the name of no\.\.where:5432: correct it/,
  ],
  [
    'a port that nobody listens on',
    () => ({ DATABASE_URL: at(`127.0.0.1:${closedPort}/kms`) }),
    1,
    /nothing accepts connections at 127\.0\.0\.1:\d+: start the server, or correct host and port/,
  ],
  [
    'a socket that is not there',
    () => ({ DATABASE_URL: `postgresql://postgres@${encodeURIComponent(directory.path)}/kms` }),
    1,
    /there is no socket \S+\.s\.PGSQL\.5432: start the server/,
  ],
  [
    'several servers, none of which is a standby',
    () => ({
      DATABASE_URL: `postgresql://postgres@127.0.0.1:${closedPort},127.0.0.1:${plain.port}/postgres?target_session_attrs=standby`,
    }),
    1,
    /no server matches: 127\.0\.0\.1:\d+: .*ECONNREFUSED.*; 127\.0\.0\.1:\d+: a primary/,
  ],
  [
    'a stray %',
    () => ({ DATABASE_URL: at('localhost/kms', `${WRONG}%`) }),
    78,
    /DATABASE_URL: has a % in the password/,
  ],
  ['another scheme', () => ({ DATABASE_URL: 'mysql://localhost/kms' }), 78, /DATABASE_URL: must be postgresql:\/\//],
  [
    'a URL that asks for TLS',
    () => ({ DATABASE_URL: `${at('localhost/kms')}?sslmode=require` }),
    78,
    /DATABASE_URL: asks for TLS with "sslmode"\. Use the setting for TLS instead/,
  ],
  [
    'the certificate of another authority',
    () => ({
      DATABASE_URL: at(tlsPlace()),
      DATABASE_SSL: 'verify-full',
      DATABASE_SSL_CA_FILE: certificate('other-ca.pem'),
    }),
    78,
    /DATABASE_SSL_CA_FILE: .*is not trusted .*: name the authority that issued it/,
  ],
  [
    'an authority that the system does not know',
    () => ({ DATABASE_URL: at(tlsPlace()), DATABASE_SSL: 'verify-full' }),
    78,
    /DATABASE_SSL_CA_FILE: .*is not trusted/,
  ],
  [
    'the certificate of another authority, though only encryption was asked for',
    () => ({
      DATABASE_URL: at(tlsPlace()),
      DATABASE_SSL: 'require',
      DATABASE_SSL_CA_FILE: certificate('other-ca.pem'),
    }),
    78,
    /DATABASE_SSL_CA_FILE: .*is not trusted/,
  ],
  [
    'a certificate for another name',
    () => ({
      DATABASE_URL: at(tlsPlace('127.0.0.1')),
      DATABASE_SSL: 'verify-full',
      DATABASE_SSL_CA_FILE: certificate('ca.pem'),
    }),
    78,
    /DATABASE_URL: .*127\.0\.0\.1.*: connect by a name of the certificate/,
  ],
  [
    'a server without TLS',
    () => ({ DATABASE_URL: at(`localhost:${plain.port}/postgres`), DATABASE_SSL: 'require' }),
    78,
    /DATABASE_SSL: .*offers no TLS: turn it on there/,
  ],
  [
    'a file of an authority that is none',
    () => ({ DATABASE_URL: at(tlsPlace()), DATABASE_SSL: 'verify-ca', DATABASE_SSL_CA_FILE: file('no.pem') }),
    78,
    /DATABASE_SSL_CA_FILE: \S+ holds no certificate in PEM/,
  ],
  [
    'a file of an authority that is broken',
    () => ({ DATABASE_URL: at(tlsPlace()), DATABASE_SSL: 'verify-ca', DATABASE_SSL_CA_FILE: file('broken.pem') }),
    78,
    /DATABASE_SSL_CA_FILE: the certificate in \S+ cannot be read/,
  ],
  [
    'a pooler in statement mode',
    () => ({ DATABASE_URL: pooler.url(plain.url) }),
    78,
    /DATABASE_URL: .*the pooler does not let a transaction begin.*use it in session or transaction mode/,
  ],
  [
    'a wrong password on the way of notices',
    () => ({ DATABASE_URL: at(tlsPlace()), DATABASE_NOTIFY_URL: at(tlsPlace(), WRONG) }),
    78,
    /DATABASE_NOTIFY_URL: .*correct the password/,
  ],
];

describe('a start', () => {
  test.each(CASES)('says what is wrong and what to do: %s', async (_name, env, code, message) => {
    const outcome = await attempt(env());
    expect(outcome.message).toMatch(message);
    expect(outcome.code).toBe(code);
    expect(outcome.message).not.toContain('hunter2');
    const findings = await diagnose({ KMS_ROOT_KEY: rootKey, ...env() });
    expect(
      findings
        .filter(({ status }) => status === 'wrong')
        .map((finding) => finding.message)
        .join('\n'),
    ).toMatch(new RegExp(message.source.replace(/^(DATABASE_[A-Z_]+: )\.\*/, '$1.*')));
    expect(JSON.stringify(findings)).not.toContain('hunter2');
  });

  test('goes on when notices have to wait for their server', async () => {
    const database = await createDatabase(server.url);
    const env = { DATABASE_URL: database.url, DATABASE_NOTIFY_URL: at(`127.0.0.1:${closedPort}/kms`) };
    expect(await attempt(env)).toEqual({ code: 0, message: '' });
    await database.drop();
  });

  test('on a file of the authority of Redis or of the audit service that is none names it', () => {
    const config = readConfig({
      KMS_ROOT_KEY: rootKey,
      KMS_CACHE_REDIS_URL: 'rediss://127.0.0.1:1',
      KMS_CACHE_REDIS_CA_FILE: file('no.pem'),
    });
    expect(() => openCaches(config.cache, SILENT_FEED, log)).toThrow(
      /KMS_CACHE_REDIS_CA_FILE: .*no certificate in PEM/,
    );
    for (const [name, reason] of [
      ['no.pem', /holds no certificate/],
      ['broken.pem', /cannot be read/],
      ['missing.pem', /cannot be read/],
    ] as const)
      expect(() => readCertificate('AUDIT_SERVICE_CA_FILE', file(name))).toThrow(reason);
    // Several certificates with words between them, as bundles have them.
    writeFileSync(file('two.pem'), `One\n${pem('ca.pem')}\n# Two\n${pem('other-ca.pem')}`);
    expect(readCertificate('AUDIT_SERVICE_CA_FILE', file('two.pem'))).toContain('# Two');
  });
});

function pem(name: string): string {
  return readFileSync(certificate(name), 'utf8');
}
