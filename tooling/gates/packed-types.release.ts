import { globSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { tempDir } from '@qnsp/test-harness';
import { afterAll, expect, test } from 'vitest';
import { pack } from './src/packed-project.ts';

// The packages have ES modules only, so what a CommonJS program or a resolver from before `exports` makes of them is not asked.
const RESOLUTIONS = ['node16-esm', 'bundler'];

const home = tempDir('qnsp-packed-types-');
afterAll(() => home.remove());

const root = fileURLToPath(new URL('../..', import.meta.url));
const libraries = globSync('packages/*/package.json', { cwd: root })
  // The others are commands, which nobody imports, or private, and then in the bundle of the service alone.
  .filter((manifest) => {
    const described = JSON.parse(readFileSync(join(root, manifest), 'utf8')) as object;
    return 'exports' in described && !('private' in described);
  })
  .map((manifest) => basename(dirname(manifest)))
  .toSorted();

test('there are libraries', () => expect(libraries).toContain('kms-client'));

test.each(libraries)(
  'the types of %s are those of its code, however it is resolved',
  { timeout: 600_000 },
  async (name) => {
    const tarball = createPackageFromTarballData(readFileSync(pack(name, join(home.path, name))));
    const checked = await checkPackage(tarball);
    if (checked.types === false) throw new Error('It has no types.');
    expect(checked.types).toEqual({ kind: 'included' });
    expect(Object.keys(checked.entrypoints).length).toBeGreaterThan(0);
    const problems = checked.problems.filter(
      (problem) => !('resolutionKind' in problem) || RESOLUTIONS.includes(problem.resolutionKind),
    );
    expect(problems).toEqual([]);
  },
);
