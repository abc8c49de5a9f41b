import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, type Service, startService, tempDir } from '@qnsp/test-harness';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type PackedProject, packedProject } from './src/packed-project.ts';

const home = tempDir('qnsp-examples-');
let service: Service;
let environment: Record<string, string>;

beforeAll(async () => {
  const dataDir = join(home.path, '.kms');
  service = await startService({ env: { KMS_EMBEDDED_DEFAULTS: 'true', KMS_DATA_DIR: dataDir } });
  const { apiToken } = JSON.parse(readFileSync(join(dataDir, 'client.json'), 'utf8')) as { apiToken: string };
  environment = { KMS_URL: service.baseUrl, KMS_TOKEN: apiToken };
  environment['KMS_KEY_ID'] = await post('', {});
});
afterAll(async () => {
  await service.stop();
  await home.remove();
});

/** Creates or changes a key, and answers its id. */
async function post(path: string, body: object): Promise<string> {
  const response = await fetch(`${service.baseUrl}/kms/v1/keys${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${environment['KMS_TOKEN']}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(response.ok).toBe(true);
  return ((await response.json()) as { keyId: string }).keyId;
}

interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

async function run(project: PackedProject, args: readonly string[], env: NodeJS.ProcessEnv, input = ''): Promise<Ran> {
  const child = spawn(process.execPath, ['src/main.ts', ...args], { cwd: project.path, env });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  child.stdin.end(input);
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, out, err };
}

async function withProject(
  example: string,
  packages: readonly string[],
  work: (project: PackedProject) => Promise<void>,
): Promise<void> {
  const project = packedProject(example, packages);
  try {
    await work(project);
  } finally {
    await project.remove();
  }
}

describe('from packed packages in an empty project', { timeout: 600_000 }, () => {
  test('a folder is encrypted and decrypted, and no file may take the place of another', () =>
    withProject('encrypt-folder', ['kms-client'], async (project) => {
      const [plain, sealed, again] = ['plain', 'sealed', 'again'].map((name) => join(project.path, name));
      mkdirSync(join(project.path, 'plain', 'sub'), { recursive: true });
      const content = randomBytes(1_500_000);
      writeFileSync(join(project.path, 'plain', 'a.bin'), content);
      writeFileSync(join(project.path, 'plain', 'sub', 'b.txt'), 'b');
      const encrypt = await run(project, ['encrypt', String(plain), String(sealed)], environment);
      expect(encrypt).toEqual({ code: 0, out: 'encrypted 2 files\n', err: '' });
      const decrypt = await run(project, ['decrypt', String(sealed), String(again)], environment);
      expect(decrypt).toEqual({ code: 0, out: 'decrypted 2 files\n', err: '' });
      expect(Buffer.compare(readFileSync(join(project.path, 'again', 'a.bin')), content)).toBe(0);
      expect(readFileSync(join(project.path, 'again', 'sub', 'b.txt'), 'utf8')).toBe('b');
      renameSync(join(project.path, 'sealed', 'sub', 'b.txt.qnsp'), join(project.path, 'sealed', 'a.bin.qnsp'));
      const moved = await run(project, ['decrypt', String(sealed), join(project.path, 'moved')], environment);
      expect(moved).toMatchObject({ code: 1, err: expect.stringContaining('ENVELOPE_CONTEXT_MISMATCH') });
    }));

  test('a web application stores fields that its database does not show', () =>
    withProject('encrypted-records', ['kms-client'], async (project) => {
      const port = await freePort();
      const app = spawn(process.execPath, ['src/main.ts'], {
        cwd: project.path,
        env: { ...environment, PORT: String(port) },
      });
      try {
        await new Promise((resolve, reject) => {
          app.stdout.once('data', resolve);
          app.once('exit', () => reject(new Error('the application ended')));
        });
        const base = `http://127.0.0.1:${port}/patients`;
        const body = JSON.stringify({ name: 'Ada', diagnosis: 'homesickness' });
        const created = await fetch(base, { method: 'POST', body });
        expect(created.status).toBe(201);
        const { id } = (await created.json()) as { id: string };
        const shown = await fetch(`${base}/${id}`);
        expect(await shown.json()).toEqual({ name: 'Ada', diagnosis: 'homesickness' });
        const stored = readFileSync(join(project.path, 'patients.db'));
        expect(stored.includes('Ada')).toBe(true);
        expect(stored.includes('homesickness')).toBe(false);
      } finally {
        app.kill();
      }
    }));

  test('customers are found by an address that the database does not show, before and after rotations', () =>
    withProject('searchable-fields', ['kms-client'], async (project) => {
      const [keyId, indexKeyId] = [await post('', {}), await post('', { algorithm: 'HMAC-SHA256' })];
      const env = { ...environment, KMS_KEY_ID: keyId, KMS_INDEX_KEY_ID: indexKeyId };
      const customers = (...args: string[]) => run(project, args, env);
      expect(await customers('add', 'Ada', 'Ada@Example.com')).toMatchObject({ code: 0, err: '' });
      expect(await customers('add', 'Eva', 'eva@example.com')).toMatchObject({ code: 0, err: '' });
      const ada = { code: 0, out: 'Ada <Ada@Example.com>\n', err: '' };
      expect(await customers('find', 'ada@example.com')).toEqual(ada);
      await post(`/${keyId}/rotate`, {});
      await post(`/${indexKeyId}/rotate`, {});
      expect(await customers('add', 'Bea', 'bea@example.com')).toMatchObject({ code: 0, err: '' });
      expect(await customers('reseal')).toEqual({ code: 0, out: 'resealed 2\n', err: '' });
      expect(await customers('reseal')).toEqual({ code: 0, out: 'resealed 0\n', err: '' });
      expect(await customers('find', 'ADA@example.com')).toEqual(ada);
      const stored = readdirSync(join(project.path, 'customers'), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => readFileSync(join(entry.parentPath, entry.name)));
      expect(stored.some((file) => file.includes('Ada'))).toBe(true);
      expect(stored.some((file) => file.includes('xample.com'))).toBe(false);
    }));

  test('a program keeps secrets with the core alone, over restarts', () =>
    withProject('embedded-core', ['kms-core', 'kms-store-drizzle'], async (project) => {
      const env = { ROOT_KEY: randomBytes(32).toString('base64') };
      const sealed = await run(project, ['data'], env, 'seal attack\u2028at dawn\n');
      expect(sealed).toMatchObject({ code: 0, err: '' });
      expect(sealed.out).not.toContain('dawn');
      const opened = await run(project, ['data'], env, `open ${sealed.out.trim()}\n`);
      expect(opened).toEqual({ code: 0, out: 'attack\u2028at dawn\n', err: '' });
    }));

  test('a store and a root of their own pass the suites of the ports, without any test framework', () =>
    withProject('own-adapters', ['kms-core'], async (project) => {
      const ran = await run(project, [], {});
      expect(ran).toMatchObject({ code: 0, err: '' });
      const lines = ran.out.trim().split('\n');
      expect(lines).toHaveLength(4);
      for (const line of lines) expect(line).toMatch(/: (\d+) of \1 hold$/);
    }));
});
