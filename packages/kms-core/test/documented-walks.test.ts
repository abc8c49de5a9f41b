import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const ROOT = new URL('../../../', import.meta.url);

interface Step {
  readonly path: string;
  readonly functions: readonly string[];
}

/** The steps of the walks in a page: `1. `path`: what `functions` do`. */
function stepsOf(page: string): readonly Step[] {
  const [, section = ''] = /^## The way of a request$([\s\S]*?)^## /m.exec(page) ?? [];
  return section.split(/^(?=\d+\. )/m).flatMap((step) => {
    const [, path, text = ''] = /^\d+\. `([^`\s]+\.ts)`:([\s\S]*?)(?:\n\n|$)/.exec(step) ?? [];
    if (path === undefined) return [];
    return [{ path, functions: [...text.matchAll(/`([A-Za-z]+)`/g)].map(([, name]) => name ?? '') }];
  });
}

/** What is wrong with a step, if anything. */
function problemsOf({ path, functions }: Step): readonly string[] {
  if (!existsSync(new URL(path, ROOT))) return [`${path} is not there`];
  const source = readFileSync(new URL(path, ROOT), 'utf8');
  const isThere = (name: string) => new RegExp(`(?<![\\w.])#?${name}\\b`).test(source);
  return functions.filter((name) => !isThere(name)).map((name) => `${path} has no ${name}`);
}

const architecture = readFileSync(new URL('docs/architecture.md', ROOT), 'utf8');
const steps = stepsOf(architecture);

test('every file and function on the documented way of a request is there', () => {
  expect(steps.length).toBeGreaterThan(50);
  for (const step of steps) expect(step.functions.length, step.path).toBeGreaterThan(0);
  expect(steps.flatMap(problemsOf)).toEqual([]);
});

test('every other file that is named beside the steps is there', () => {
  const named = [...architecture.matchAll(/`((?:apps|packages)\/[^`\s*]+\.ts)`/g)].map(([, path]) => path ?? '');
  expect(named.length).toBeGreaterThan(steps.length);
  expect(named.filter((path) => !existsSync(new URL(path, ROOT)))).toEqual([]);
});

test('a file or a function that is not there is found', () => {
  const page =
    '## The way of a request\n\n1. `packages/kms-core/src/gone.ts`: `x`\n2. `packages/kms-core/src/base/maybe-promise.ts`: `andThen`, `gone`\n\n## Next\n';
  expect(stepsOf(page).flatMap(problemsOf)).toEqual([
    'packages/kms-core/src/gone.ts is not there',
    'packages/kms-core/src/base/maybe-promise.ts has no gone',
  ]);
});
