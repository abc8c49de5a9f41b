import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { startService, tempDir } from '@qnsp/test-harness';
import { expect, test } from 'vitest';
import { installed } from './src/packed-project.ts';

/** How much more processor time a start may take than that of a Node.js that does nothing: twice what it does. */
const MOST_EMPTY_STARTS = 7;

test('the command line works from packed packages in an empty project', { timeout: 600_000 }, async () => {
  const project = installed(['kms-core', 'kms-audit', 'kms-client', 'kms-cli']);
  const home = tempDir('qnsp-packed-cli-');
  const kms = (args: readonly string[], env: Readonly<Record<string, string>> = {}) => {
    const { status, stdout, stderr } = spawnSync(join(project.path, 'node_modules', '.bin', 'kms'), args, {
      cwd: project.path,
      // Its first line asks for a Node.js, which on this machine may be another one.
      env: { PATH: `${dirname(process.execPath)}:/usr/bin:/bin`, ...env },
      encoding: 'utf8',
    });
    return { code: status, out: stdout, err: stderr };
  };
  try {
    expect(kms(['--help'])).toMatchObject({ code: 0, err: '', out: expect.stringContaining('keys') });
    const [empty, start] = leastCpuSeconds(
      `node -e ''`,
      `'${join(project.path, 'node_modules', '.bin', 'kms')}' --version`,
    );
    expect(start / empty).toBeLessThan(MOST_EMPTY_STARTS);
    const dataDir = join(home.path, '.kms');
    const service = await startService({ env: { KMS_EMBEDDED_DEFAULTS: 'true', KMS_DATA_DIR: dataDir } });
    try {
      const env = { KMS_DATA_DIR: dataDir };
      expect(kms(['keys', 'create', '--name', 'packed'], env)).toMatchObject({ code: 0, err: '' });
      expect(kms(['keys', 'list'], env)).toMatchObject({ code: 0, err: '', out: expect.stringContaining('packed') });
      expect(kms(['doctor'], env)).toMatchObject({ code: 0, out: expect.stringContaining('not installed here') });
      expect(kms(['audit', 'verify', '--help'], env)).toMatchObject({ code: 0 });
      expect(kms(['root', 'status'], env)).toMatchObject({ code: 78, err: expect.stringContaining('on the host') });
    } finally {
      await service.stop();
    }
  } finally {
    await Promise.all([project.remove(), home.remove()]);
  }
});

/**
 * The least processor time of some runs of each of two commands, which take turns: what else the machine does only adds to it,
 * and to both.
 */
function leastCpuSeconds(...commands: readonly [string, string]): readonly [number, number] {
  const [first, second] = commands.map((command) => `time ${command} > /dev/null;`);
  const script = `TIMEFORMAT='%U %S'; for i in 1 2 3 4 5 6 7; do ${first} ${second} done`;
  const { stderr } = spawnSync('bash', ['--norc', '-c', script], {
    env: { PATH: `${dirname(process.execPath)}:/usr/bin:/bin` },
    encoding: 'utf8',
  });
  const times = stderr
    .trim()
    .split('\n')
    .map((line) => line.split(' ').reduce((sum, part) => sum + Number(part), 0));
  if (times.some(Number.isNaN)) throw new Error(`The times could not be read:\n${stderr}`);
  const leastOf = (turn: number) => Math.min(...times.filter((_, index) => index % 2 === turn));
  return [leastOf(0), leastOf(1)];
}
