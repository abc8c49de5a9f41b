import { execFile, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, copyFileSync, readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { openPostgresStore, type PostgresStoreOptions, type SslMode } from '@qnsp/kms-store-drizzle';
import {
  createDatabase,
  findPostgresBinaries,
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
    // The server runs as its own user where the tests run as root, and reads only its own key.
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

  it('verifies for `require` as for `verify-ca` when it has an authority, as libpq does', async () => {
    await expect(isEncrypted({ ssl: 'require', caPem: pem('ca.pem') }, '127.0.0.1')).resolves.toBe(true);
    await expect(isEncrypted({ ssl: 'require', caPem: pem('other-ca.pem') })).rejects.toMatchObject({
      ...UNAVAILABLE,
      message: expect.stringContaining('is not trusted'),
    });
    const psql = join(findPostgresBinaries() ?? '', 'psql');
    const byLibpq = (authority: string) => {
      const env = { PATH: process.env['PATH'], PGSSLMODE: 'require', PGSSLROOTCERT: fixture(authority) };
      return promisify(execFile)(psql, ['--no-psqlrc', '-c', 'select 1', database.url], { env });
    };
    await expect(byLibpq('ca.pem')).resolves.toBeDefined();
    await expect(byLibpq('other-ca.pem')).rejects.toThrow(/certificate verify failed/);
  });

  it('is left out on a Unix socket, as libpq does', async () => {
    const url = `postgresql://postgres@${encodeURIComponent(server.socketDir)}:${server.port}/${database.name}`;
    const { store, close } = await openPostgresStore({ url, ssl: 'verify-full', migrate: 'auto' });
    await store.ping();
    await close();
  });

  const MODES = ['require', 'verify-ca', 'verify-full'] as const;

  it.each(MODES)('never falls back to plain text for `%s`', async (ssl) => {
    const { received, error } = await against(ssl, '127.0.0.1', (socket) => socket.write('N'));
    expect(received).toEqual([]);
    expect(error).toMatchObject({ ...UNAVAILABLE, message: expect.stringContaining('offers no TLS') });
  });

  it.each(MODES)('takes nothing that stands behind the answer in plain text for `%s`', async (ssl) => {
    // What somebody on the way would like to be taken for the server's (CVE-2021-23222): the login went well.
    const injected = Buffer.concat([Buffer.from('S'), Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0])]);
    const atOnce = await against(ssl, '127.0.0.1', (socket) => socket.write(injected));
    expect(atOnce.received).toEqual([]);
    expect(atOnce.error).toMatchObject({ ...UNAVAILABLE, cause: { code: 'CONNECT_TLS_REFUSED' } });
    const later = await against(ssl, '127.0.0.1', (socket) => {
      socket.write('S');
      setTimeout(() => socket.write(injected.subarray(1)), 50);
    });
    expect(later.error).toMatchObject(UNAVAILABLE);
    // Nothing but the begin of a handshake (RFC 8446, section 5.1), or the alert that ends it.
    for (const bytes of later.received) expect([0x16, 0x15]).toContain(bytes[0]);
  });

  it.each(MODES)('gives up a server that hangs up or says nothing instead of an answer for `%s`', async (ssl) => {
    const hungUp = await against(ssl, '127.0.0.1', (socket) => socket.end());
    expect(hungUp.error).toMatchObject({ ...UNAVAILABLE, cause: { code: 'CONNECTION_CLOSED' } });
    const silent = await against(ssl, '127.0.0.1', () => undefined);
    expect(silent.error).toMatchObject({ ...UNAVAILABLE, cause: { code: 'CONNECT_TIMEOUT' } });
    const halfway = await against(ssl, '127.0.0.1', (socket) => socket.write('S'));
    expect(halfway.error).toMatchObject({ ...UNAVAILABLE, cause: { code: 'CONNECT_TIMEOUT' } });
  });

  it.each(MODES)('asks for the server by its name, and by no address, for `%s`', async (ssl) => {
    const names: (string | false | null | undefined)[] = [];
    const takeName = (socket: Socket) => {
      socket.write('S');
      const encrypted = new TLSSocket(socket, { isServer: true, cert: pem('server.pem'), key: pem('server.key') });
      encrypted.on('error', () => undefined);
      encrypted.once('secure', () => {
        names.push(encrypted.servername);
        encrypted.destroy();
      });
    };
    for (const host of ['localhost', '127.0.0.1']) await against(ssl, host, takeName, pem('ca.pem'));
    // A client that verifies the name gives up by itself where it connected by an address.
    expect(names[0]).toBe('localhost');
    expect(names.slice(1).every((name) => name === false)).toBe(true);
  });

  it('lets in no server that does not know the password, though channels are not bound', async () => {
    const guarded = await startPostgres({ password: 'the password' });
    const forger = createServer((client) => {
      const upstream = connect(guarded.port, '127.0.0.1');
      for (const socket of [client, upstream]) socket.on('error', () => socket.destroy());
      client.pipe(upstream);
      upstream.on('data', (bytes: Buffer) => {
        // AuthenticationSASLFinal carries the signature of the server (RFC 5802, section 3).
        const at = bytes.indexOf('v=');
        if (bytes[0] === 0x52 && bytes[8] === 12 && at > 0) bytes[at + 3] = bytes[at + 3] === 0x41 ? 0x42 : 0x41;
        client.write(bytes);
      });
      upstream.on('close', () => client.destroy());
    });
    try {
      await once(forger.listen(0, '127.0.0.1'), 'listening');
      const { port } = forger.address() as AddressInfo;
      const url = new URL(guarded.url);
      const honest = await openPostgresStore({ url: url.href, ssl: 'disable', migrate: 'auto' });
      await honest.close();
      url.port = String(port);
      await expect(openPostgresStore({ url: url.href, ssl: 'disable', migrate: 'auto' })).rejects.toMatchObject({
        ...UNAVAILABLE,
        cause: { code: 'SASL_SIGNATURE_MISMATCH' },
      });
    } finally {
      forger.close();
      await guarded.stop();
    }
  });
});

/** Opens a store on a server that only answers the question for TLS, and tells what came after that. */
async function against(ssl: SslMode, host: string, answer: (socket: Socket) => void, caPem?: string) {
  const received: Buffer[] = [];
  const sockets: Socket[] = [];
  const fake = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.once('data', () => {
      answer(socket);
      socket.on('data', (bytes) => received.push(Buffer.from(bytes)));
    });
  });
  await once(fake.listen(0, '127.0.0.1'), 'listening');
  const { port } = fake.address() as AddressInfo;
  const url = `postgresql://kms:secret-password@${host}:${port}/kms`;
  const options = { url, ssl, migrate: 'auto', connectTimeoutSeconds: 0.5 } as const;
  const error: unknown = await openPostgresStore({ ...options, ...(caPem === undefined ? {} : { caPem }) }).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => fake.close(resolve));
  return { received, error };
}

const UNAVAILABLE = { code: 'STORE_UNAVAILABLE' };
