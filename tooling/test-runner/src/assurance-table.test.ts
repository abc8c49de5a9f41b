import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const ROOT = new URL('../../../', import.meta.url);

it('the table of assurance names only tests that are there', () => {
  const page = readFileSync(new URL('docs/assurance.md', ROOT), 'utf8');
  const tests = [...page.matchAll(/`([^`\s]+\.(?:test|soak|release)\.ts)`/g)].map(([, path]) => path ?? '');
  expect(tests.filter((path) => !existsSync(new URL(path, ROOT)))).toEqual([]);
});

it('each row of the table of assurance names a test', () => {
  const page = readFileSync(new URL('docs/assurance.md', ROOT), 'utf8');
  const rows = page.split('\n').filter((line) => /^\| (?!kind |---)/.test(line));
  expect(rows.filter((row) => !/`[^`\s]+\.(?:test|soak|release)\.ts`/.test(row))).toEqual([]);
});
