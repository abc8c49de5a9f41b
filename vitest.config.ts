import { globSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { defineConfig } from 'vitest/config';

const KINDS = ['test', 'release', 'fips', 'soak'];
const kind = KINDS.find((name) => name === process.env['TEST_KIND']) ?? 'test';
/** Packages whose tests compute and start nothing: one process runs several of their files. */
const PURE = ['kms-audit', 'kms-contract', 'kms-core'];
const packages = globSync('{apps,packages,tooling,examples}/*/package.json', { cwd: import.meta.dirname }).map(dirname);

export default defineConfig({
  test: {
    // Ceilings for what hangs, far from what anything takes, as this may be a slow machine that does other things, too.
    testTimeout: 120_000,
    hookTimeout: 180_000,
    expect: { poll: { timeout: 60_000 } },
    // Many tests wait for servers and for time limits, so three run at a time where a small machine has two cores. Soaks measure, and
    // the faults among the tests of a release count seconds: they run alone.
    maxWorkers: kind === 'test' ? 3 : 1,
    // All have the same root, so that a path given on the command line means the same for each of them.
    projects: packages.map((path) => ({
      extends: true as const,
      root: import.meta.dirname,
      test: {
        name: basename(path),
        isolate: !PURE.includes(basename(path)),
        include: [`${path}/**/*.${kind}.ts`],
        exclude: ['**/node_modules/**', '**/dist/**'],
      },
    })),
  },
});
