import { globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const page = readFileSync(`${ROOT}docs/architecture.md`, 'utf8');
const readme = readFileSync(`${ROOT}README.md`, 'utf8');

const namesIn = (cell: string): readonly string[] =>
  [...cell.matchAll(/`([a-z0-9-]+)`/g)].map(([, name]) => name ?? '');

/** What the table of the page says that each package imports. */
function documentedImports(text: string): Readonly<Record<string, readonly string[]>> {
  const [, table = ''] = /^\| package \| imports \|\n([\s\S]*?)\n\n/m.exec(text) ?? [];
  const rows = table.split('\n').map((row) => row.split('|'));
  return Object.fromEntries(
    rows.flatMap(([, packages = '', imports = '']) =>
      namesIn(packages).map((name) => [name, namesIn(imports).toSorted()] as const),
    ),
  );
}

/** The packages of this repository that the sources of one import. */
function importsOf(folder: string): readonly string[] {
  const sources = globSync('src/**/*.ts', { cwd: folder }).filter((file) => !/\.(?:test|soak|release)\.ts$/.test(file));
  // The examples in comments are programs of their own.
  const codeOf = (file: string) => readFileSync(`${folder}/${file}`, 'utf8').replaceAll(/^\s*\*.*$/gm, '');
  const names = sources.flatMap((file) =>
    [...codeOf(file).matchAll(/(?:from|import\() ?'@qnsp\/([a-z0-9-]+)/g)].map(([, name]) => name ?? ''),
  );
  return [...new Set(names)].toSorted();
}

const folders = globSync(['packages/*', 'apps/*'], { cwd: ROOT });

test('the documented packages and their imports are those of the sources', () => {
  expect(folders.length).toBeGreaterThan(10);
  const imports = folders.map((folder) => [basename(folder), importsOf(`${ROOT}${folder}`)] as const);
  expect(documentedImports(page)).toEqual(Object.fromEntries(imports));
});

test('the list of packages names each of them', () => {
  const [, section = ''] = /^## Packages$([\s\S]*?)^## /m.exec(readme) ?? [];
  expect([...section.matchAll(/^\| `([^`]+)`/gm)].map(([, name]) => name).toSorted()).toEqual(folders.toSorted());
});
