import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { createDatabase, freePort, programEnvironment, type TestDatabase } from '@qnsp/test-harness';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { installed, type PackedProject } from './src/packed-project.ts';

const root = new URL('../../', import.meta.url);
const page = readFileSync(new URL('docs/embedding.md', root), 'utf8');
/** The oldest Node.js and TypeScript that the packages of the page are for. */
const OLDEST_NODE = `node-${process.platform}-${process.arch}`;
const OLDEST = [`${OLDEST_NODE}@24.16.0`, 'typescript@5.7.3', '@types/node@24'];
const EMBEDDED = ['kms-core', 'kms-store-drizzle', 'kms-cache', 'kms-audit', 'kms-contract'];
/** What the routes of the platform need beside these. */
const ROUTES = ['wire-qnsp', 'http-edge'];
/** What the page does not import itself, or only where types are not checked. */
const ENTRIES = [
  ...['algorithms', 'internal', 'lifecycle', 'ports', 'testing'].map((path) => `@qnsp/kms-core/${path}`),
  ...['pglite', 'postgres'].map((path) => `@qnsp/kms-store-drizzle/${path}`),
];
const AUDIT_TOKEN = randomBytes(24).toString('hex');

/** The files that the page has, by the name in their first line. */
const files = new Map(
  [...page.matchAll(/^```ts\n\/\/ (\S+)\n(.*?)^```$/gms)].map(([, name = '', text = '']) => [name, text]),
);

let project: PackedProject;
let database: TestDatabase;
let auditPort: number;
const running: ChildProcess[] = [];

beforeAll(async () => {
  // npm installs the peer of a dependency, keyv, by itself; here peers are left out.
  project = installed(
    [...EMBEDDED, ...ROUTES],
    ['fastify@5', 'keyv@6', 'hono@4', '@hono/node-server@2', 'drizzle-orm@0.45', 'postgres@3', ...OLDEST],
  );
  database = await createDatabase();
  for (const [name, text] of files) writeFileSync(join(project.path, name), text);
  writeFileSync(join(project.path, 'root.key'), randomBytes(32).toString('base64'));
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  writeFileSync(join(project.path, 'audit-signing.pem'), privateKey.export({ format: 'pem', type: 'pkcs8' }));
  writeFileSync(join(project.path, 'audit-public.pem'), publicKey.export({ format: 'pem', type: 'spki' }));
  auditPort = await freePort();
  start(['examples/audit-receiver/src/main.ts'], new URL('.', root).pathname, {
    AUDIT_BEARER_TOKEN: AUDIT_TOKEN,
    AUDIT_PUBLIC_KEY_FILE: join(project.path, 'audit-public.pem'),
    AUDIT_DIRECTORY: join(project.path, 'evidence'),
    PORT: String(auditPort),
  });
}, 600_000);
afterAll(async () => {
  for (const child of running) child.kill('SIGKILL');
  await database.drop();
  await project.remove();
});

interface Started {
  readonly child: ChildProcess;
  /** What it has said on standard error so far. */
  readonly said: () => string;
}

function start(args: readonly string[], cwd: string, env: NodeJS.ProcessEnv, node = process.execPath): Started {
  const child = spawn(node, args, {
    cwd,
    env: { ...programEnvironment(), ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  running.push(child);
  let text = '';
  child.stderr?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return { child, said: () => text };
}

const oldestNode = () => join(project.path, 'node_modules', OLDEST_NODE, 'bin', 'node');

const environment = (port: number): NodeJS.ProcessEnv => ({
  DATABASE_URL: database.url,
  AUDIT_URL: `http://127.0.0.1:${auditPort}`,
  AUDIT_TOKEN,
  PORT: String(port),
});

async function post(port: number, path: string, user: string, body: object) {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-user': user, 'x-request-id': `${user}-${path.slice(1)}` },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Record<string, string> };
}

const evidence = () => {
  const { stdout } = spawnSync('grep', ['-rhoE', '"(action|requestId)":"[^"]+"', join(project.path, 'evidence')], {
    encoding: 'utf8',
  });
  return stdout;
};

/** What somebody who administers the keys does in a process of their own. */
const OPERATOR = `
import { localCaller } from '@qnsp/kms-core';
import { kms } from './kms.ts';
const tenantId = await kms.ensureTenant('notes');
const operator = kms.as(localCaller({ tenantId, subject: 'operator', role: 'tenant_admin' }));
const [command, name] = process.argv.slice(2);
const { items } = await operator.listKeys({ name });
const keyId = items[0]?.keyId;
if (command === 'create') await operator.createKey({ name, rotation: { periodSeconds: 60, auto: true } });
if (command === 'revoke') await operator.revokeKey({ keyId, reason: 'suspected_compromise' });
console.log(JSON.stringify({ at: Date.now(), found: items.length, version: items[0]?.currentVersion, keyId }));
await kms.close();
`;

/** What the service of notes has in the database, and which connections it did not open itself. */
const LOOK = `
import postgres from 'postgres';
const sql = postgres(process.env['DATABASE_URL'] ?? '', { max: 1 });
const [found] = await sql\`select (select count(*)::int from notes) >= 2 as notes,
  (select count(*)::int from notes_kms.keys) as keys,
  (select array_agg(distinct application_name order by application_name) from pg_stat_activity
    where datname = current_database() and application_name like 'qnsp-kms%') as own\`;
console.log(JSON.stringify(found));
await sql.end();
`;

function operator(command: 'create' | 'show' | 'revoke', name: string): Promise<Record<string, string | number>> {
  writeFileSync(join(project.path, 'operator.ts'), OPERATOR);
  const child = spawn(process.execPath, ['operator.ts', command, name], {
    cwd: project.path,
    env: { ...programEnvironment(), ...environment(0) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.push(child);
  return new Promise((resolve) => {
    child.stdout.once('data', (line: Buffer) =>
      resolve(JSON.parse(line.toString()) as Record<string, string | number>),
    );
  });
}

async function rotatesOnceWhenDue(): Promise<void> {
  await operator('create', 'short-lived');
  expect(await operator('show', 'short-lived')).toMatchObject({ version: 1 });
  const rotations = () => evidence().match(/"action":"rotateKey"/g) ?? [];
  expect(rotations()).toEqual([]);
  // The shortest period is a minute, and each of the two processes looks every ten seconds.
  await expect.poll(rotations, { timeout: 90_000, interval: 250 }).not.toEqual([]);
  // Both have looked once more after that.
  await setTimeout(15_000);
  expect(rotations()).toHaveLength(1);
  expect(await operator('show', 'short-lived')).toMatchObject({ version: 2 });
}

async function refusesRevoked(ports: readonly number[]): Promise<void> {
  let revokedAt = Number.POSITIVE_INFINITY;
  const revoked = operator('revoke', 'notes').then(({ at }) => (revokedAt = Number(at)));
  const lastUses = ports.map(async (port) => {
    let lastUse = 0;
    // Used without a pause, so that the key is in the memory of the process when another one revokes it.
    while (Date.now() < revokedAt + 3000) {
      const sentAt = Date.now();
      const { status, body } = await post(port, '/seal', 'ada', { text: 'x' });
      if (status === 200) lastUse = sentAt;
      else expect(body).toMatchObject({ code: expect.stringMatching(/REVOKED|STATE/) });
    }
    return lastUse;
  });
  for (const lastUse of await Promise.all(lastUses)) {
    expect(lastUse).toBeGreaterThan(0);
    expect(lastUse - (await revoked)).toBeLessThan(1000);
  }
}

describe('what docs/embedding.md says', () => {
  test('is all there, and the wiring is under 25 lines', () => {
    expect([...files.keys()]).toEqual(['kms.ts', 'app.ts', 'routes.ts', 'notes.ts', 'one-key.ts']);
    const lines = (files.get('kms.ts') ?? '').split('\n').filter((line) => line.trim() !== '');
    expect(lines.length).toBeLessThan(25);
  });

  test('holds from the oldest Node.js on that the packages name', () => {
    expect(spawnSync(oldestNode(), ['--version'], { encoding: 'utf8' }).stdout).toBe('v24.16.0\n');
    expect(page).toContain('Node.js 24.16 or newer');
    for (const name of EMBEDDED) {
      const at = join(project.path, 'node_modules', '@qnsp', name);
      expect(JSON.parse(readFileSync(join(at, 'package.json'), 'utf8'))).toMatchObject({
        engines: { node: '>=24.16' },
      });
      expect(readFileSync(join(at, 'README.md'), 'utf8')).toContain('Node.js 24.16 or newer');
    }
  });

  test('has one copy of the core', () => {
    const { stdout } = spawnSync('find', ['node_modules', '-path', '*/@qnsp/kms-core/package.json'], {
      cwd: project.path,
      encoding: 'utf8',
    });
    expect(stdout).toBe('node_modules/@qnsp/kms-core/package.json\n');
  });

  test('is right for TypeScript 5.7, with the types of all packages checked', { timeout: 600_000 }, () => {
    const compilerOptions = {
      strict: true,
      module: 'nodenext',
      target: 'es2022',
      lib: ['es2023', 'esnext.disposable'],
      noEmit: true,
      skipLibCheck: false,
      rewriteRelativeImportExtensions: true,
    };
    writeFileSync(
      join(project.path, 'entries.ts'),
      ENTRIES.map((entry) => `export type {} from '${entry}';\n`).join(''),
    );
    const check = (options: object, names: readonly string[]) => {
      const tsconfig = { compilerOptions: { ...compilerOptions, ...options }, files: names };
      writeFileSync(join(project.path, 'tsconfig.json'), JSON.stringify(tsconfig));
      const { status, stdout } = spawnSync(join(project.path, 'node_modules/.bin/tsc'), ['-p', '.'], {
        cwd: project.path,
        encoding: 'utf8',
      });
      expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
    };
    check({}, [...[...files.keys()].filter((name) => name !== 'routes.ts' && name !== 'notes.ts'), 'entries.ts']);
    // The types of Hono itself need those of a browser, and those of drizzle name packages that it does not bring.
    check({ skipLibCheck: true }, ['routes.ts', 'notes.ts']);
  });

  test('makes two processes that serve one tenant with one key, and leaves evidence of every call', {
    timeout: 240_000,
  }, async () => {
    const ports = [await freePort(), await freePort()] as const;
    const nodes = [process.execPath, oldestNode()];
    const started = ports.map((port, index) => start(['app.ts'], project.path, environment(port), nodes[index]));
    for (const [index, port] of ports.entries())
      await expect
        .poll(
          () =>
            post(port, '/seal', 'ada', { text: 'x' }).then(
              ({ status }) => status,
              () => started[index]?.said(),
            ),
          { timeout: 60_000 },
        )
        .toBe(200);
    const [one, two] = ports;
    const { body } = await post(one, '/seal', 'ada', { text: 'attack at dawn' });
    expect(await post(two, '/open', 'ada', { sealed: body['sealed'] })).toEqual({
      status: 200,
      body: { text: 'attack at dawn' },
    });
    expect(await post(two, '/open', 'eve', { sealed: body['sealed'] })).toMatchObject({
      status: 422,
      body: { code: 'DECRYPT_FAILED' },
    });
    await expect.poll(evidence, { timeout: 30_000 }).toContain('"requestId":"eve-open"');
    expect(evidence()).toContain('"requestId":"ada-seal"');
    // Each of them asked for it when they started at the same moment, and the evidence may say so.
    expect(evidence()).toContain('"action":"createKey"');
    expect(await operator('show', 'notes')).toMatchObject({ found: 1, version: 1 });
    await rotatesOnceWhenDue();
    await refusesRevoked(ports);
    const ended = started.map(({ child }) => new Promise((resolve) => child.once('exit', resolve)));
    for (const { child } of started) child.kill('SIGTERM');
    expect(await Promise.all(ended)).toEqual([0, 0]);
    expect(started.map(({ said }) => said())).toEqual(['', '']);
  });

  test('has the routes of the platform under a path of the application, for callers whom it knows', {
    timeout: 600_000,
  }, async () => {
    const port = await freePort();
    const { child, said } = start(['routes.ts'], project.path, environment(port));
    const send = (path: string, user: string | undefined, body: object) =>
      fetch(`http://127.0.0.1:${port}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(user === undefined ? {} : { 'x-user': user }) },
        body: JSON.stringify(body),
      });
    await expect
      .poll(
        () =>
          fetch(`http://127.0.0.1:${port}/`).then(
            (response) => response.text(),
            () => said(),
          ),
        { timeout: 300_000 },
      )
      .toBe('notes');
    const created = await send('/crypto/kms/v1/keys', 'ada', { name: 'letters' });
    expect(created.status).toBe(201);
    const { keyId } = (await created.json()) as { keyId: string };
    expect((await send(`/crypto/kms/v1/keys/${keyId}/rotate`, 'ada', {})).status).toBe(200);
    const refused = await send('/crypto/kms/v1/keys', undefined, { name: 'letters' });
    expect([refused.status, await refused.json()]).toMatchObject([401, { code: 'UNAUTHORIZED' }]);
    await expect.poll(evidence, { timeout: 30_000 }).toContain('"action":"rotateKey"');
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect(said()).toBe('');
  });

  test('keeps keys beside the tables of a service, on the connections of that service', {
    timeout: 600_000,
  }, async () => {
    const port = await freePort();
    const theirs = await createDatabase();
    const settings = { ...environment(port), DATABASE_URL: theirs.url };
    const { child, said } = start(['notes.ts'], project.path, settings, oldestNode());
    const write = () => post(port, '/notes', 'ada', { text: 'attack at dawn' });
    await expect
      .poll(
        () =>
          write().then(
            ({ status }) => status,
            () => said(),
          ),
        { timeout: 240_000 },
      )
      .toBe(200);
    const { body } = await write();
    const read = await fetch(`http://127.0.0.1:${port}/notes/${body['id']}`);
    expect(await read.json()).toEqual({ text: 'attack at dawn' });
    writeFileSync(join(project.path, 'look.ts'), LOOK);
    const look = () =>
      spawnSync(process.execPath, ['look.ts'], {
        cwd: project.path,
        encoding: 'utf8',
        env: { ...programEnvironment(), ...settings },
      }).stdout;
    const own = ['qnsp-kms-heartbeats', 'qnsp-kms-notices'];
    await expect.poll(look, { timeout: 60_000 }).toBe(`${JSON.stringify({ notes: true, keys: 1, own })}\n`);
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect(said()).toBe('');
    await theirs.drop();
  });

  test('does not start with another root, and says why', { timeout: 600_000 }, async () => {
    writeFileSync(join(project.path, 'root.key'), randomBytes(32).toString('base64'));
    const { child, said } = start(['app.ts'], project.path, environment(await freePort()));
    expect(await new Promise((resolve) => child.once('exit', resolve))).toBe(1);
    expect(said()).toContain('SEALED');
  });

  test('signs and verifies with a key that no database has', () => {
    const { stdout, stderr, status } = spawnSync(oldestNode(), ['one-key.ts'], {
      cwd: project.path,
      encoding: 'utf8',
    });
    expect({ stdout, stderr, status }).toEqual({ stdout: 'true\n', stderr: '', status: 0 });
  });
});
