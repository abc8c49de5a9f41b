import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { tempDir } from '@qnsp/test-harness';
import { afterAll, describe, expect, test } from 'vitest';
import { copyWorkspace } from './src/workspace-copy.ts';

const workspaceRoot = fileURLToPath(new URL('../..', import.meta.url));
const home = tempDir('qnsp-published-');
const copy = copyWorkspace();
afterAll(() => Promise.all([home.remove(), copy.remove()]));

/** What a service, its commands or an operator leave where they were run. None of it may ever get out. */
const STRAYS = [
  'root.key',
  'client.json',
  'kms.dump',
  'kms.sql.gz',
  'tombstones.csv',
  'evidence.jsonl',
  'letter.txt.qnsp',
  'admin.token',
  'server.pem',
  '.env',
  '.kms/root.key',
  '.kms/client.json',
  '.kms/db/base/1/1259',
];

const published = readdirSync(join(workspaceRoot, 'packages')).filter((name) => {
  const manifest = readFileSync(join(workspaceRoot, 'packages', name, 'package.json'), 'utf8');
  return (JSON.parse(manifest) as { private?: boolean }).private !== true;
});

function run(command: string, args: readonly string[], cwd: string, input = ''): string {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8', input });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed:\n${stdout}${stderr}`);
  return stdout;
}

function spread(directory: string): void {
  for (const stray of STRAYS) {
    const path = join(directory, stray);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, 'a secret that must not get out');
  }
}

describe.each(published)('%s', (name) => {
  test('publishes its code, and nothing that was left beside it', () => {
    const path = join(copy.path, 'packages', name);
    for (const place of ['.', 'src', 'dist']) spread(join(path, place));
    const target = join(home.path, name);
    mkdirSync(target, { recursive: true });
    run('pnpm', ['pack', '--pack-destination', target], path);
    const [archive = ''] = readdirSync(target);
    const names = run('tar', ['-tzf', join(target, archive)], target)
      .trim()
      .split('\n');
    const expected =
      /^package\/(package\.json|README\.md|LICENSE|openapi\.json|(src|dist|migrations|page)\/.*\.(ts|js|map|sql|json|html|css))$/;
    expect(names.filter((entry) => !expected.test(entry))).toEqual([]);
    expect(names.filter((entry) => STRAYS.some((stray) => entry.endsWith(`/${stray}`)))).toEqual([]);
    expect(names).toContain('package/README.md');
    expect(names).toContain('package/LICENSE');
  });
});

// A .dockerignore is not read as git reads its own, but for patterns that begin with `**/` both mean the same.
test.each(['.gitignore', '.dockerignore'])('%s keeps out what must not get out, wherever it was left', (file) => {
  const repository = join(home.path, file);
  mkdirSync(repository);
  run('git', ['init', '--quiet'], repository);
  writeFileSync(join(repository, '.gitignore'), readFileSync(join(workspaceRoot, file)));
  const places = ['', 'deploy/backup/', 'apps/kms-service/'].flatMap((place) => STRAYS.map((stray) => place + stray));
  const ignored = new Set(run('git', ['check-ignore', '--stdin'], repository, places.join('\n')).split('\n'));
  expect(places.filter((path) => !ignored.has(path))).toEqual([]);
  rmSync(repository, { recursive: true });
});
