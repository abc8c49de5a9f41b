import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { serviceEntry, tempDir } from '@qnsp/test-harness';
import { expect, test } from 'vitest';
import { ConfigurationError } from '../src/config/configuration-error.ts';
import { EMBEDDED_MEMORY_BYTES, LEAST_OPEN_FILES, machineLimits, requireRoom } from '../src/config/machine-limits.ts';

const embedded = { database: { kind: 'pglite', dataDir: 'memory://', timeoutMs: 5000 } } as const;

test.each([
  ['memory for the embedded database', { memoryBytes: EMBEDDED_MEMORY_BYTES, openFiles: undefined }, 'DATABASE_URL'],
  ['open files', { memoryBytes: undefined, openFiles: LEAST_OPEN_FILES }, 'ulimit -n'],
] as const)('just enough %s is enough, and less is refused by name', (_, limits, named) => {
  expect(() => requireRoom(embedded, limits)).not.toThrow();
  const less = Object.fromEntries(
    Object.entries(limits).map(([name, value]) => [name, value === undefined ? undefined : value - 1]),
  );
  let problems: readonly { readonly variable: string }[] = [];
  try {
    requireRoom(embedded, { memoryBytes: undefined, openFiles: undefined, ...less });
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    problems = error.problems;
  }
  expect(problems.map(({ variable }) => variable)).toEqual([named]);
});

test('the limits are those that the operating system has for this process', () => {
  const { openFiles } = machineLimits();
  const { stdout } = spawnSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' });
  expect(String(openFiles)).toBe(stdout.trim());
});

test.each([
  ['few open files', 'ulimit -n 100', 'pglite:db', 'ulimit -n: this process may open 100 files'],
  ['a URL for a directory', ':', 'pglite:file:///tmp/x', 'DATABASE_URL: pglite: needs the path of a directory'],
])('a start with %s ends with 78 and the reason, and leaves nothing', async (_, limit, database, reason) => {
  const home = tempDir();
  const { status, stderr } = spawnSync('sh', ['-c', `${limit}; exec "$@"`, 'sh', process.execPath, serviceEntry()], {
    cwd: home.path,
    env: { KMS_EMBEDDED_DEFAULTS: 'true', KMS_DATA_DIR: home.path, DATABASE_URL: database, PORT: '0' },
    encoding: 'utf8',
  });
  expect(stderr).toContain(reason);
  expect(status).toBe(78);
  expect(['db', 'file:'].filter((name) => existsSync(join(home.path, name)))).toEqual([]);
  await home.remove();
});
