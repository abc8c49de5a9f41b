import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { createDatabase, initSoftHsmToken, startService, tempDir } from '@qnsp/test-harness';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Example, examplesIn, moduleOf, printsOf } from '../src/examples.ts';
import { publishedEntries, workspaceRoot } from '../src/published.ts';
import type { Started } from './names.ts';

const DIRECTORY = join(import.meta.dirname, `../dist/examples-${process.pid}`);
const NAMES = join(import.meta.dirname, 'names.ts');
/** The names that every example finds: those of `Names`, whose module would open a KMS here too. */
const LIST =
  `console kms tenantId ada platform auditKeyPem baseUrl token databaseUrl redisUrl modulePath slot pin`.split(' ');

const folders = [...new Set(publishedEntries().map(({ folder }) => folder))];
const examples = globSync(
  folders.map((folder) => `${folder}/src/**/*.ts`),
  { cwd: workspaceRoot },
)
  .toSorted()
  .flatMap((path) => examplesIn(join(workspaceRoot, path)));
const fileOf = (index: number) => `example-${String(index).padStart(4, '0')}.ts`;
const placeOf = ({ path, line }: Example) => `${relative(workspaceRoot, path)}:${line}`;

/** A directory of this package, where imports find what a program that installed the packages would. */
function write(all: readonly Example[]): void {
  mkdirSync(DIRECTORY, { recursive: true });
  for (const [index, example] of all.entries())
    writeFileSync(join(DIRECTORY, fileOf(index)), moduleOf(example, { file: '../../test/names.ts', list: LIST }));
  const compilerOptions = {
    noUnusedLocals: false,
    noUnusedParameters: false,
    noPropertyAccessFromIndexSignature: false,
  };
  writeFileSync(
    join(DIRECTORY, 'tsconfig.json'),
    JSON.stringify({ extends: '../../../typescript/base.json', compilerOptions, include: ['*.ts'] }),
  );
}

/** Not synchronously: the service that examples call writes to this process. */
async function run(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const child = spawn(program, args, { cwd: workspaceRoot, env: { ...process.env, ...env }, timeout: 300_000 });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  await once(child, 'close');
  return output;
}

/** What examples use and do not make themselves. */
async function start() {
  const directory = tempDir('qnsp-examples-');
  const [database, other, hsm] = await Promise.all([
    createDatabase(),
    createDatabase(),
    initSoftHsmToken({ label: 'examples', pin: '1234-user', soPin: '5678-officer' }),
  ]);
  const service = await startService({
    env: { KMS_EMBEDDED_DEFAULTS: 'true', KMS_DATA_DIR: directory.path, DATABASE_URL: database.url },
  });
  const { apiToken } = JSON.parse(readFileSync(join(directory.path, 'client.json'), 'utf8')) as { apiToken: string };
  const { modulePath, slotId: slot, pin } = hsm;
  const { baseUrl } = service;
  const redisUrl = process.env['TEST_REDIS_URL'] ?? '';
  const started: Started = { baseUrl, token: apiToken, databaseUrl: other.url, redisUrl, modulePath, slot, pin };
  return {
    env: { STARTED: JSON.stringify(started), SOFTHSM2_CONF: hsm.configPath },
    end: async () => {
      await service.kill9();
      await Promise.all([database.drop(), other.drop(), hsm.remove(), directory.remove()]);
    },
  };
}

interface Outcome {
  readonly file: string;
  readonly printed: readonly string[];
  readonly error?: string;
}

describe('the examples in comments', () => {
  let problems: string;
  let output: string;
  let outcomes: readonly Outcome[];
  beforeAll(async () => {
    write(examples);
    const tsc = join(workspaceRoot, 'node_modules/.bin/tsc');
    const runner = [join(import.meta.dirname, '../src/run-examples.ts'), DIRECTORY, NAMES];
    const started = await start();
    try {
      const checked = run(tsc, ['-p', DIRECTORY, '--pretty', 'false']);
      output = await run(process.execPath, runner, started.env);
      problems = await checked;
    } finally {
      await started.end();
    }
    outcomes = output.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Outcome] : []));
  }, 600_000);
  afterAll(() => rmSync(DIRECTORY, { recursive: true, force: true }));

  test.each(examples.map((example, index) => [placeOf(example), example, index] as const))(
    '%s is right for the compiler, runs, and prints what it says',
    (_place, example, index) => {
      const file = fileOf(index);
      expect(problems.split('\n').filter((line) => line.includes(file))).toEqual([]);
      const outcome = outcomes.find((each) => each.file === file);
      expect(outcome, output).toEqual({ file, printed: printsOf(example) });
    },
  );
});
