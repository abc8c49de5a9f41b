import { globSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { AUDIT_EVENT_TYPES, PERMISSIONS } from '../src/exports/internal.ts';
import { type SourceText, strayNames } from './stray-names.ts';

const ROOT = new URL('../../../', import.meta.url);

/** The catalogue, the two tables that declare the names, and what is generated from them. */
const MAY_NAME = [
  'packages/kms-core/src/operations/catalog.ts',
  'packages/kms-core/src/access/permissions.ts',
  'packages/kms-core/src/model/audit-event.ts',
];
const isGenerated = (path: string) => path.includes('/src/generated/');

const names: ReadonlySet<string> = new Set<string>([...PERMISSIONS, ...AUDIT_EVENT_TYPES]);
const sources: readonly SourceText[] = globSync('{packages,apps}/*/src/**/*.ts', { cwd: ROOT })
  .filter((path) => !MAY_NAME.includes(path) && !isGenerated(path))
  .map((path) => ({ path, text: readFileSync(new URL(path, ROOT), 'utf8') }));

it('permissions and types of events stand in the catalogue and nowhere else', () => {
  expect(sources.length).toBeGreaterThan(300);
  expect(sources.flatMap((source) => strayNames(source, names))).toEqual([]);
});

it.each([
  ['a permission', `requirePermission(caller, 'kms:keys:read');`, 'kms:keys:read'],
  ['a permission in other quotes', 'const needed = `kms:tokens:manage`;', 'kms:tokens:manage'],
  ['a permission as a type', `type Needed = "kms:random";`, 'kms:random'],
  ['a permission that is put together', 'authorize(caller, `kms:${operation}`);', 'kms:${'],
  ['the type of an event', `const eventType = 'kms.key.rotated';`, 'kms.key.rotated'],
  ['the type of an event that is put together', 'const eventType = `kms.key.${event}`;', 'kms.key.${'],
])('a seeded line with %s is found', (_kind, text, name) => {
  const [{ path } = { path: '' }] = sources;
  expect(strayNames({ path, text: `/** 'kms:keys:update' */\n${text}` }, names)).toEqual([`${path}:2 ${name}`]);
});

it('what only mentions a name is let be', () => {
  const text = `// 'kms:keys:read'\nconst help = 'takes \`kms:keys:policy\`, or kms:keys:*';\nconst all = 'kms:keys:*';`;
  expect(strayNames({ path: 'x.ts', text }, names)).toEqual([]);
});
