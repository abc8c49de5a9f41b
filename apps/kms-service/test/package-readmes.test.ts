import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { initSoftHsmToken, programEnvironment, type SoftHsmToken, tempDir } from '@qnsp/test-harness';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LocalService, startLocalService } from './local-service.ts';

const PACKAGES = new URL('../../../packages/', import.meta.url);
const published = readdirSync(PACKAGES).filter((name) => existsSync(new URL(`${name}/package.json`, PACKAGES)));
const home = tempDir('qnsp-readme-');

let local: LocalService;
let token: SoftHsmToken;
beforeAll(async () => {
  [local, token] = await Promise.all([
    startLocalService(),
    initSoftHsmToken({ label: 'example', pin: '123456', soPin: '654321' }),
  ]);
  // All packages, as a project that has installed them finds them.
  mkdirSync(join(home.path, 'node_modules', '@qnsp'), { recursive: true });
  for (const name of published)
    symlinkSync(fileURLToPath(new URL(name, PACKAGES)), join(home.path, 'node_modules', '@qnsp', name));
  mkdirSync(join(home.path, 'bin'));
  const main = process.env['TEST_CLI_ENTRY'] ?? fileURLToPath(new URL('kms-cli/src/main.ts', PACKAGES));
  writeFileSync(join(home.path, 'bin', 'kms'), `#!/bin/sh\nexec node ${main} "$@"\n`, { mode: 0o755 });
});
afterAll(() => Promise.all([local.end(), token.remove(), home.remove()]));

interface Example {
  readonly language: string;
  readonly source: string;
  readonly prints: readonly string[];
}

/** The first example that says what it prints. */
function firstExample(markdown: string): Example | undefined {
  const match = /^```(ts|bash)\n(.*?)^```\n\nIt prints (.*?)\.\n/ms.exec(markdown);
  const [, language = '', source = '', sentence = ''] = match ?? [];
  if (match === null) return undefined;
  return { language, source, prints: [...sentence.matchAll(/`([^`]+)`/g)].map(([, text]) => text ?? '') };
}

function run({ language, source }: Example): { readonly stdout: string; readonly stderr: string } {
  const [command, args] =
    language === 'ts'
      ? [process.execPath, ['--input-type=module-typescript', '-e', source]]
      : ['bash', ['--norc', '-eu', '-c', source]];
  const { stdout, stderr } = spawnSync(command, args, {
    cwd: home.path,
    encoding: 'utf8',
    env: {
      ...programEnvironment(),
      PATH: [join(home.path, 'bin'), dirname(process.execPath), process.env['PATH']].join(delimiter),
      KMS_URL: local.service.baseUrl,
      KMS_TOKEN: local.apiToken,
      PKCS11_MODULE: token.modulePath,
      SOFTHSM2_CONF: token.configPath,
    },
    timeout: 60_000,
  });
  return { stdout, stderr };
}

describe.each(published)('the README of %s', (name) => {
  test('begins with an example that prints what it says', { timeout: 600_000 }, () => {
    const example = firstExample(readFileSync(new URL(`${name}/README.md`, PACKAGES), 'utf8'));
    if (example === undefined) throw new Error('It has no example that says what it prints.');
    expect(run(example)).toEqual({ stdout: `${example.prints.join('\n')}\n`, stderr: '' });
  });
});
