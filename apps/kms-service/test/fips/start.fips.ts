import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { fileURLToPath } from 'node:url';
import {
  createDatabase,
  findFipsProvider,
  freePort,
  makeAuthority,
  serviceEntry,
  startService,
  tempDir,
} from '@qnsp/test-harness';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readModuleParameters } from '../../src/fips/module-configuration.ts';
import { opensslConfiguration, TLS_CIPHERS } from '../../src/fips/openssl-configuration.ts';
import { type LocalService, startLocalService } from '../local-service.ts';
import { makeTokens, PIN, type Tokens } from '../two-tokens.ts';
import { commandLines, fipsEnvironment } from './fips-service.ts';

const START = fileURLToPath(new URL('../../../../tooling/bin/start.mjs', import.meta.url));
const STRICT = '--force-fips=strict';
const DATA = Buffer.from('data').toString('base64');
const directory = tempDir('qnsp-fips-start-');
let environment: Readonly<Record<string, string>>;
let modulePath: string;

beforeAll(async () => {
  environment = await fipsEnvironment();
  modulePath = await findFipsProvider();
});
afterAll(() => directory.remove());

function runToItsEnd(env: Readonly<Record<string, string>>, name: string, flags: readonly string[] = []) {
  const dataDir = join(directory.path, name);
  const { status, stderr } = spawnSync(process.execPath, [...flags, serviceEntry()], {
    env: { PATH: process.env['PATH'], KMS_EMBEDDED_DEFAULTS: 'true', KMS_DATA_DIR: dataDir, PORT: '0', ...env },
    encoding: 'utf8',
    // One that starts after all would serve until then.
    timeout: 60_000,
    cwd: directory.path,
  });
  return { status, stderr, rootKeyWasMade: existsSync(join(dataDir, 'root.key')) };
}

/** A copy of the provider and of what belongs to it, to be damaged. */
function copyOfProvider(name: string): { readonly module: string; readonly configuration: string } {
  const place = join(directory.path, `copy-${name}`);
  mkdirSync(place);
  const copy = { module: join(place, 'fips.so'), configuration: join(place, 'fipsmodule.cnf') };
  copyFileSync(modulePath, copy.module);
  copyFileSync(join(modulePath, '..', 'fipsmodule.cnf'), copy.configuration);
  return copy;
}

describe('a provider that cannot be used ends the start with 78 before anything is made, and says why', () => {
  test('none', () => {
    const { status, stderr, rootKeyWasMade } = runToItsEnd({ KMS_REQUIRE_FIPS: 'true' }, 'none');
    expect({ status, rootKeyWasMade }).toEqual({ status: 78, rootKeyWasMade: false });
    expect(stderr).toMatch(/KMS_REQUIRE_FIPS: .*set KMS_FIPS_MODULE/);
  });

  test('a file that is no module', () => {
    const { module } = copyOfProvider('text');
    writeFileSync(module, 'not a module');
    const { status, stderr, rootKeyWasMade } = runToItsEnd({ ...environment, KMS_FIPS_MODULE: module }, 'text');
    expect({ status, rootKeyWasMade }).toEqual({ status: 78, rootKeyWasMade: false });
    expect(stderr).toMatch(/KMS_FIPS_MODULE: .*could not load the shared library.*file too short/);
  });

  test('a module whose code was changed, which its own test finds', () => {
    const { module } = copyOfProvider('changed');
    const bytes = readFileSync(module);
    const at = bytes.indexOf('OpenSSL FIPS Provider');
    bytes.write('openssl', at);
    writeFileSync(module, bytes);
    const { status, stderr, rootKeyWasMade } = runToItsEnd({ ...environment, KMS_FIPS_MODULE: module }, 'changed');
    expect({ status, rootKeyWasMade }).toEqual({ status: 78, rootKeyWasMade: false });
    expect(stderr).toMatch(/KMS_FIPS_MODULE: .*module integrity failure/);
  });

  test('a module without its configuration, and one without a MAC in it', () => {
    const { module, configuration } = copyOfProvider('bare');
    writeFileSync(configuration, '[fips_sect]\nactivate = 1\n');
    const bare = runToItsEnd({ ...environment, KMS_FIPS_MODULE: module }, 'bare');
    expect(bare.status).toBe(78);
    expect(bare.stderr).toMatch(/KMS_FIPS_CONFIG: .*no module-mac.*openssl fipsinstall/);
    const gone = runToItsEnd({ ...environment, KMS_FIPS_CONFIG: '/nowhere/fipsmodule.cnf' }, 'gone');
    expect(gone.status).toBe(78);
    expect(gone.stderr).toMatch(/KMS_FIPS_CONFIG: .*ENOENT/);
  });
});

describe('a start that ends with 78', () => {
  test.each(['conditional-errors', 'security-checks'])('for a module that is told to do without %s', (name) => {
    const { module, configuration } = copyOfProvider(name);
    writeFileSync(configuration, readFileSync(configuration, 'utf8').replace(`${name} = 1`, `${name} = 0`));
    const { status, stderr, rootKeyWasMade } = runToItsEnd({ ...environment, KMS_FIPS_MODULE: module }, name);
    expect({ status, rootKeyWasMade }).toEqual({ status: 78, rootKeyWasMade: false });
    expect(stderr).toContain(`${name} = 0: `);
  });

  test('for a configuration that others could change', () => {
    const place = join(directory.path, 'open', 'fips');
    mkdirSync(place, { recursive: true });
    for (const mode of [0o770, 0o707]) {
      chmodSync(place, mode);
      const { status, stderr } = runToItsEnd(environment, 'open');
      expect({ status, stderr }).toEqual({
        status: 78,
        stderr: expect.stringMatching(/KMS_DATA_DIR: others can write/),
      });
    }
  });

  /** What the service writes where what is not approved may be read. */
  function written(): string {
    const parameters =
      readModuleParameters(readFileSync(join(modulePath, '..', 'fipsmodule.cnf'), 'utf8')) ?? new Map<string, string>();
    return opensslConfiguration({ modulePath, parameters }, { active: true, legacyRead: true });
  }

  test.each([
    ['there is no configuration', () => undefined, 'no FIPS provider is loaded'],
    ['it names no FIPS provider', () => written().replace('\nfips = fips\n', '\n'), 'no FIPS provider is loaded'],
    [
      'it prefers another provider',
      () => written().replace('?fips=yes', '?provider=default'),
      'AES-256-GCM is that of the provider default',
    ],
  ])('under the flags of the service, where what is not approved may be read and %s', (_what, content, reason) => {
    const file = join(directory.path, 'flags', 'fips', 'openssl.cnf');
    mkdirSync(join(file, '..'), { recursive: true });
    rmSync(file, { force: true });
    const configuration = content();
    if (configuration !== undefined) writeFileSync(file, configuration);
    const env = { ...environment, KMS_FIPS_ALLOW_LEGACY_READ: 'true' };
    const flags = [`--openssl-config=${file}`, `--tls-cipher-list=${TLS_CIPHERS}`];
    const { status, stderr, rootKeyWasMade } = runToItsEnd(env, 'flags', flags);
    expect({ status, rootKeyWasMade }, stderr).toEqual({ status: 78, rootKeyWasMade: false });
    expect(stderr).toContain(reason);
  });
});

test('npm start runs the service in FIPS mode, and a signal ends it as usual', async () => {
  const dataDir = join(directory.path, 'npm-start');
  const port = await freePort();
  const child = spawn(process.execPath, [START], {
    env: { PATH: process.env['PATH'], KMS_DATA_DIR: dataDir, PORT: String(port), ...environment },
    cwd: directory.path,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const isReady = () =>
    fetch(`http://127.0.0.1:${port}/readyz`).then(
      ({ status }) => status === 200,
      () => false,
    );
  await expect.poll(isReady, { timeout: 110_000 }).toBe(true);
  expect(commandLines(child.pid ?? 0).filter((line) => line.includes(STRICT))).toHaveLength(1);
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
});

test('workers run in FIPS mode, too', async () => {
  const database = await createDatabase();
  const service = await startService({
    env: {
      ...environment,
      DATABASE_URL: database.url,
      KMS_ROOT_KEY: Buffer.alloc(32, 7).toString('base64'),
      KMS_DATA_DIR: join(directory.path, 'workers'),
      KMS_WORKERS: '2',
    },
  });
  try {
    await expect.poll(() => service.logs().match(/"msg":"listening"/g)?.length).toBe(2);
    const lines = commandLines(service.child.pid ?? 0);
    expect(lines).toHaveLength(3);
    expect(lines.filter((line) => line.includes(STRICT))).toHaveLength(3);
  } finally {
    await service.stop();
    await database.drop();
  }
});

describe('with an HSM', () => {
  let tokens: Tokens;
  let local: LocalService;
  beforeAll(async () => {
    tokens = await makeTokens(['main']);
    local = await startLocalService({
      ...environment,
      ...tokens.env,
      KMS_PKCS11_MODULE_PATH: tokens.modulePath,
      KMS_PKCS11_SLOT: 'main',
      KMS_PKCS11_PIN: PIN,
    });
  });
  afterAll(async () => {
    await local?.end();
    await tokens?.remove();
  });

  test('the process of the PKCS #11 module runs in FIPS mode, too', () => {
    const lines = commandLines(local.service.child.pid ?? 0);
    expect(lines).toHaveLength(2);
    expect(lines.filter((line) => line.includes(STRICT))).toHaveLength(2);
  });

  test.each([
    ['aes-256-gcm', 'hsm'],
    ['aes-256-gcm', 'software'],
  ])('%s keys in %s are used under the root in the HSM', async (algorithm, protectionLevel) => {
    const key = await local.call('POST', '/kms/v1/keys', { algorithm, protectionLevel });
    expect(key.status, JSON.stringify(key.body)).toBe(201);
    const path = `/kms/v1/keys/${String(key.body['keyId'])}`;
    const { ciphertext } = (await local.call('POST', `${path}/encrypt`, { plaintext: DATA })).body;
    expect((await local.call('POST', `${path}/decrypt`, { ciphertext })).body).toMatchObject({ plaintext: DATA });
  });
});

describe('the cryptography of a service in FIPS mode', () => {
  const authority = makeAuthority(directory.path, 'Tests');
  let local: LocalService;
  beforeAll(async () => {
    local = await startLocalService(environment);
  });
  afterAll(() => local?.end());

  /** What a program prints that runs under the flags of the service. */
  async function printedUnderItsFlags(script: string): Promise<string> {
    const flags = [`--openssl-config=${join(local.dataDir, 'fips', 'openssl.cnf')}`, STRICT, '--no-warnings'];
    const program = spawn(process.execPath, [...flags, '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const printed: Buffer[] = [];
    program.stdout.on('data', (chunk: Buffer) => printed.push(chunk));
    await once(program, 'close');
    return Buffer.concat(printed).toString().trim();
  }

  test('has no provider but this one and that of formats, so that whatever is fetched is approved', async () => {
    const { argv, loaded, ciphers, hashes } = JSON.parse(
      await printedUnderItsFlags(`const { functions } = require('node:ffi').dlopen(null, {
        OSSL_PROVIDER_available: { return: 'int32', arguments: ['pointer', 'string'] } });
      const { getCiphers, getHashes } = require('node:crypto');
      const known = ['base', 'default', 'fips', 'legacy', 'null'];
      const loaded = known.filter((name) => functions.OSSL_PROVIDER_available(null, name) === 1);
      console.log(JSON.stringify({ argv: process.execArgv, loaded, ciphers: getCiphers(), hashes: getHashes() }))`),
    ) as Readonly<Record<string, readonly string[]>>;
    // Those of the service itself.
    const [own = []] = commandLines(local.service.child.pid ?? 0);
    expect(own).toEqual(expect.arrayContaining(argv?.slice(0, 2) ?? []));
    expect(loaded).toEqual(['base', 'fips']);
    expect(ciphers).toContain('aes-256-gcm');
    expect(hashes).toContain('sha256');
    expect([...(ciphers ?? []), ...(hashes ?? [])].filter((name) => /chacha|md5|rc4|blake|sm[34]/i.test(name))).toEqual(
      [],
    );
  });

  test('what was tried before is not left behind', () => {
    expect(readdirSync(join(local.dataDir, 'fips')).toSorted()).toEqual(['openssl.cnf', 'provider.json']);
  });

  /** What two sides of a connection agreed by. */
  async function agreedWith(port: number): Promise<string | undefined> {
    const socket: TLSSocket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const key = socket.getEphemeralKeyInfo();
    socket.destroy();
    return key !== null && 'name' in key ? key.name : undefined;
  }

  test('what the service connects to is agreed with by approved groups', async () => {
    // A program under the configuration that the service wrote, towards a server that offers everything.
    const { certificate, key } = authority.issue('127.0.0.1');
    const server = createServer({
      cert: readFileSync(certificate),
      key: readFileSync(key),
      ecdhCurve: 'X25519MLKEM768:X25519:SecP256r1MLKEM768:P-256',
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const script = `const socket = require('node:tls').connect({ port: ${port}, host: '127.0.0.1', rejectUnauthorized: false }, () => {
      console.log(socket.getEphemeralKeyInfo().name); socket.destroy(); });`;
    const agreed = await printedUnderItsFlags(script);
    server.close();
    expect(agreed).toBe('SecP256r1MLKEM768');
  });

  test('its own port agrees by approved groups', async () => {
    const { certificate, key } = authority.issue('127.0.0.1');
    const database = await createDatabase();
    const service = await startService({
      env: {
        ...environment,
        KMS_EMBEDDED_DEFAULTS: 'true',
        DATABASE_URL: database.url,
        KMS_DATA_DIR: join(directory.path, 'tls'),
        KMS_TLS_CERT_FILE: certificate,
        KMS_TLS_KEY_FILE: key,
      },
      isReady: (port) => agreedWith(port).then(Boolean, () => false),
    });
    try {
      expect(await agreedWith(service.port)).toMatch(/^(?:SecP256r1MLKEM768|prime256v1|SecP384r1MLKEM1024)$/);
    } finally {
      await service.stop();
      await database.drop();
    }
  });
});
