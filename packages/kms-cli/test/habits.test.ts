import { spawnSync } from 'node:child_process';
import { closeSync, openSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findExecutable, tempDir } from '@qnsp/test-harness';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EXIT } from '../src/terminal/exit-codes.ts';
import { MAIN } from './local-kms.ts';

const home = tempDir('qnsp-habits-');
const path = [home.path, dirname(process.execPath), '/usr/bin', '/bin'].join(':');

beforeAll(() => {
  writeFileSync(join(home.path, 'kms'), `#!/bin/sh\nexec node ${MAIN} "$@"\n`, { mode: 0o755 });
});
afterAll(() => home.remove());

function shell(program: string, script: string, env: Readonly<Record<string, string>> = {}) {
  const executable = findExecutable(program);
  if (executable === undefined) throw new Error(`${program} is not installed`);
  const { status, stdout, stderr } = spawnSync(executable, ['-c', script], {
    encoding: 'utf8',
    cwd: home.path,
    env: { PATH: path, HOME: home.path, TERM: 'xterm', ...env },
    timeout: 30_000,
  });
  return { status, stdout, stderr };
}

describe('what cannot be written', () => {
  test('ends with 73 and one sentence on a full disk', () => {
    const full = openSync('/dev/full', 'w');
    const { status, stderr } = spawnSync(process.execPath, [MAIN, '--help'], {
      stdio: ['ignore', full, 'pipe'],
      encoding: 'utf8',
    });
    closeSync(full);
    expect(status).toBe(EXIT.output);
    expect(stderr).toMatch(/^The result cannot be written: the system says "no space left on device" \(ENOSPC\)\.\n$/);
  });

  test('is of no interest to a pipe that somebody closed', () => {
    expect(shell('bash', 'kms --help | head -n 1; kms service --help | true')).toMatchObject({ status: 0, stderr: '' });
  });
});

test('what nobody foresaw is one sentence too, and the rest on demand', () => {
  // A name that leads to itself.
  symlinkSync('loop', join(home.path, 'loop'));
  const env = { KMS_CONFIG: join(home.path, 'loop', 'contexts.yaml') };
  const quiet = shell('bash', 'kms context set a --url http://x --token-file y', env);
  expect(quiet.stderr.trim().split('\n')).toHaveLength(1);
  expect(quiet.stderr).not.toContain('    at ');
  expect(quiet.status).not.toBe(0);
  expect(
    shell('bash', 'kms context set a --url http://x --token-file y', { ...env, KMS_DEBUG: 'true' }).stderr,
  ).toContain('    at ');
});

test('the help of every command shows the options that all of them take', () => {
  const help = shell('bash', 'kms keys list --help').stdout;
  for (const option of ['--output', '--columns', '--use']) expect(help).toContain(option);
});

describe('completion', () => {
  test.each(['bash', 'zsh', 'fish'])('gives a script that %s takes', (program) => {
    writeFileSync(join(home.path, `completion.${program}`), shell('bash', `kms completion ${program}`).stdout);
    // Their systems of completion are there before it, as in a shell that somebody uses.
    const before = { bash: '', zsh: 'autoload -Uz compinit && compinit -u;', fish: '' }[program];
    expect(shell(program, `${before} source completion.${program}; echo taken`)).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('taken'),
      stderr: '',
    });
  });

  test('knows commands, options and the values of options', () => {
    const complete = (words: string) => shell('bash', `kms complete -- ${words}`).stdout;
    expect(complete('ke')).toMatch(/^keys\t/m);
    expect(complete('keys ro')).toMatch(/^rotate\t/m);
    expect(complete('keys create --alg')).toMatch(/^--algorithm\t/m);
    expect(complete("keys list --state ''")).toMatch(/^suspended/m);
  });
});
