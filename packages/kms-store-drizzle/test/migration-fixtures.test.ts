import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { describeRows } from './migration-fixtures/describe-rows.ts';
import { expectedFile, migrationTags, rowsFile } from './migration-fixtures/fixture-files.ts';

it.each(migrationTags())('%s has a fixture of rows, which `pnpm run fixture` in this package writes', (tag) => {
  expect([rowsFile(tag), expectedFile(tag)].filter((file) => !existsSync(file))).toEqual([]);
});

describeRows('every day');
