import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, copyFileSync, readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { openPostgresStore, type PostgresStoreOptions } from '@qnsp/kms-store-drizzle';
import {
  createDatabase,
  type PostgresServer,
  startPostgres,
  type TempDir,
  tempDir,
  type TestDatabase,
} from '@qnsp/test-harness';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rawSql } from './raw-sql.ts';

/** A certificate for `localhost` of a test authority, and another authority; they say nothing about anybody else. */
const fixture = (name: string): string => join(import.meta.dirname, 'fixtures', name);
const pem = (name: string): string => readFileSync(fixture(name), 'utf8');

describe('TLS', () => {
  let files: TempDir;
  let server: PostgresServer;
  let database: TestDatabase;

  beforeAll(async () => {
    files = tempDir();
    const [certificate, key] = [join(files.path, 'server.pem'), join(files.path, 'server.key')];
    copyFileSync(fixture('server.pem'), certificate);
    copyFileSync(fixture('server.key'), key);
    chmodSync(key, 0o600);
    // The server runs as a user of its own where the tests run as root, and reads only a key of its own.
    if (process.getuid?.() === 0) chownSync(key, Number(execFileSync('id', ['-u', 'postgres'])), 0);
    server = await startPostgres({ settings: { ssl: 'on', ssl_cert_file: certificate, ssl_key_file: key } });
    database = await createDatabase(server.url);
  });
  afterAll(async () => {
    await server.stop();
    await files.remove();
  });

  /** Whether the connections of a store are encrypted, as the server sees it. */
  async function isEncrypted(options: Partial<PostgresStoreOptions>, host = 'localhost'): Promise<boolean> {
    const url = new URL(database.url);
    url.hostname = host;
    const { store, close } = await openPostgresStore({ url: url.href, ssl: 'disable', migrate: 'auto', ...options });
    const sql = rawSql(database.url);
    try {
      await store.ping();
      const [row] = await sql`select bool_and(ssl) as encrypted from pg_stat_ssl join pg_stat_activity using (pid)
        where application_name = 'qnsp-kms'`;
      return row?.['encrypted'] === true;
    } finally {
      await sql.end();
      await close();
    }
  }

  it('is off where it is disabled', async () => {
    await expect(isEncrypted({ ssl: 'disable' })).resolves.toBe(false);
  });

  it('encrypts for `require`, whatever the certificate', async () => {
    await expect(isEncrypted({ ssl: 'require' })).resolves.toBe(true);
    await expect(isEncrypted({ ssl: 'require' }, '127.0.0.1')).resolves.toBe(true);
  });

  it('checks the authority for `verify-ca`, but not the name', async () => {
    await expect(isEncrypted({ ssl: 'verify-ca', caPem: pem('ca.pem') })).resolves.toBe(true);
    await expect(isEncrypted({ ssl: 'verify-ca', caPem: pem('ca.pem') }, '127.0.0.1')).resolves.toBe(true);
    await expect(isEncrypted({ ssl: 'verify-ca', caPem: pem('other-ca.pem') })).rejects.toMatchObject(UNAVAILABLE);
    await expect(isEncrypted({ ssl: 'verify-ca' })).rejects.toMatchObject(UNAVAILABLE);
  });

  it('checks the authority and the name for `verify-full`', async () => {
    await expect(isEncrypted({ ssl: 'verify-full', caPem: pem('ca.pem') })).resolves.toBe(true);
    const byAddress = isEncrypted({ ssl: 'verify-full', caPem: pem('ca.pem') }, '127.0.0.1');
    await expect(byAddress).rejects.toMatchObject({ ...UNAVAILABLE, cause: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' } });
    await expect(isEncrypted({ ssl: 'verify-full', caPem: pem('other-ca.pem') })).rejects.toMatchObject(UNAVAILABLE);
  });

  it.each(['require', 'verify-ca', 'verify-full'] as const)('never falls back to plain text for `%s`', async (ssl) => {
    // A server that says no to TLS; whatever comes after that is a TLS handshake (RFC 8446, section 5.1) or nothing.
    const received: Buffer[] = [];
    const plain = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => {
        socket.on('data', (bytes) => {
          received.push(Buffer.from(bytes));
          socket.destroy();
        });
        socket.write('N');
      });
    });
    await once(plain.listen(0, '127.0.0.1'), 'listening');
    const { port } = plain.address() as AddressInfo;
    const url = `postgresql://kms:secret-password@127.0.0.1:${port}/kms`;
    await expect(openPostgresStore({ url, ssl, migrate: 'auto' })).rejects.toMatchObject(UNAVAILABLE);
    expect(received.map((bytes) => bytes[0])).toEqual([0x16]);
    await new Promise((resolve) => plain.close(resolve));
  });
});

const UNAVAILABLE = { code: 'STORE_UNAVAILABLE' };
