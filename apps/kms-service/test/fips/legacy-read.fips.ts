import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type ConnectionOptions, connect, createServer } from 'node:tls';
import {
  createDatabase,
  makeAuthority,
  type Service,
  startService,
  tempDir,
  type TestDatabase,
} from '@qnsp/test-harness';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commandLines, fipsEnvironment } from './fips-service.ts';

const directory = tempDir('qnsp-fips-legacy-');
const { certificate, key } = makeAuthority(directory.path, 'Tests').issue('127.0.0.1');
const CHACHA = 'TLS_CHACHA20_POLY1305_SHA256';
const OLDER_CHACHA = 'ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305';

let database: TestDatabase;
let service: Service;

/** The name of the cipher that a client agrees by, `undefined` if it does not. */
function agreedWith(port: number, options: ConnectionOptions = {}): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options }, () => {
      resolve(socket.getCipher().name);
      socket.destroy();
    });
    socket.on('error', () => resolve(undefined));
  });
}

beforeAll(async () => {
  database = await createDatabase();
  service = await startService({
    env: {
      ...(await fipsEnvironment()),
      KMS_FIPS_ALLOW_LEGACY_READ: 'true',
      KMS_EMBEDDED_DEFAULTS: 'true',
      DATABASE_URL: database.url,
      KMS_DATA_DIR: `${directory.path}/data`,
      KMS_TLS_CERT_FILE: certificate,
      KMS_TLS_KEY_FILE: key,
      KMS_TLS_MIN_VERSION: '1.2',
    },
    isReady: (port) => agreedWith(port).then(Boolean),
  });
});
afterAll(async () => {
  await service?.stop();
  await database?.drop();
  await directory.remove();
});

describe('where what is not approved may be read, TLS', () => {
  test('has no cipher on the port of the service that is not approved', async () => {
    expect(await agreedWith(service.port)).toBe('TLS_AES_256_GCM_SHA384');
    expect(await agreedWith(service.port, { ciphers: CHACHA, minVersion: 'TLSv1.3' })).toBeUndefined();
    expect(await agreedWith(service.port, { ciphers: OLDER_CHACHA, maxVersion: 'TLSv1.2' })).toBeUndefined();
    expect(await agreedWith(service.port, { maxVersion: 'TLSv1.2' })).toMatch(/AES256-GCM/);
  });

  test.each([
    ['TLSv1.3', `${CHACHA}:TLS_AES_128_GCM_SHA256`, 'TLS_AES_128_GCM_SHA256'],
    [
      'TLSv1.2',
      `${OLDER_CHACHA}:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256`,
      /^ECDHE-.*-AES128-GCM-SHA256$/,
    ],
  ] as const)('offers none under %s to what the service connects to, either', async (maxVersion, ciphers, agreed) => {
    const files = { cert: readFileSync(certificate), key: readFileSync(key) };
    const server = createServer({ ...files, ciphers, maxVersion, honorCipherOrder: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    // A program under the flags of the service.
    const [own = []] = commandLines(service.child.pid ?? 0);
    const flags = own.filter((flag) => /^--(?:openssl-config|tls-cipher-list)=/.test(flag));
    const script = `const socket = require('node:tls').connect({ port: ${port}, host: '127.0.0.1', rejectUnauthorized: false }, () => {
      console.log(socket.getCipher().name); socket.destroy(); });`;
    const program = spawn(process.execPath, [...flags, '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const printed: Buffer[] = [];
    program.stdout.on('data', (chunk: Buffer) => printed.push(chunk));
    await once(program, 'close');
    server.close();
    expect(flags).toHaveLength(2);
    expect(Buffer.concat(printed).toString().trim()).toMatch(agreed);
  });
});
