import { afterAll, describe, expect, it } from 'vitest';
import { type Gate, gates } from './src/gates.ts';
import { lintViolations } from './src/lint-violations.ts';
import { copyWorkspace } from './src/workspace-copy.ts';

interface Violation {
  readonly gate: Gate;
  readonly what: string;
  readonly files: () => Readonly<Record<string, string>>;
  /** What the gate's complaint has to name. */
  readonly named: string | RegExp;
}

const workspace = copyWorkspace();
const LIMIT_MS = 600_000;
const CORE = 'packages/kms-core/src/seeded-violation.ts';

function withManifest(path: string, change: (manifest: Record<string, unknown>) => void): Record<string, string> {
  const manifest = JSON.parse(workspace.read(path)) as Record<string, unknown>;
  change(manifest);
  return { [path]: `${JSON.stringify(manifest, null, 2)}\n` };
}

const violations: readonly Violation[] = [
  {
    gate: 'format:check',
    what: 'double quotes',
    files: () => ({ [CORE]: 'export const word = "quoted";\n' }),
    named: 'seeded-violation.ts',
  },
  {
    gate: 'wording',
    what: 'a wrong phrase in a comment, even over two lines',
    files: () => ({ [CORE]: '/**\n * What can\n * not be.\n */\nexport const word = 1;\n' }),
    named: /seeded-violation\.ts:2: .*write cannot/,
  },
  {
    gate: 'wording',
    what: 'a wrong phrase in a message',
    files: () => ({ [CORE]: "export const message = 'The key is revoked for ever.';\n" }),
    named: /seeded-violation\.ts:1: .*write forever/,
  },
  {
    gate: 'wording',
    what: 'a wrong phrase in a document',
    files: () => ({ 'docs/seeded-violation.md': 'Whoever has the key can use it.\n' }),
    named: /seeded-violation\.md:1: .*write anyone who/,
  },
  {
    gate: 'typecheck',
    what: 'a wrong type',
    files: () => ({ [CORE]: "export const count: number = 'three';\n" }),
    named: /seeded-violation\.ts.*TS2322/s,
  },
  {
    gate: 'typecheck',
    what: 'syntax that Node.js cannot strip',
    files: () => ({ [CORE]: 'export enum Colour {\n  Red,\n}\n' }),
    named: /seeded-violation\.ts.*TS1294/s,
  },
  {
    gate: 'typecheck',
    what: 'an element that may be missing',
    files: () => ({ [CORE]: 'export const first = (list: readonly string[]): string => list[0];\n' }),
    named: /seeded-violation\.ts.*TS2322/s,
  },
  {
    gate: 'boundaries',
    what: 'a core that depends on the contract',
    files: () =>
      withManifest('packages/kms-core/package.json', (manifest) => {
        manifest['dependencies'] = { '@qnsp/kms-contract': 'workspace:*' };
      }),
    named: /`@qnsp\/kms-contract` found without any tag listed in allowlist/,
  },
  {
    gate: 'boundaries',
    what: 'a store that depends on the contract',
    files: () =>
      withManifest('packages/kms-store-drizzle/package.json', (manifest) => {
        manifest['dependencies'] = { '@qnsp/kms-contract': 'workspace:*' };
      }),
    named: /`@qnsp\/kms-contract` found without any tag listed in allowlist/,
  },
  {
    gate: 'boundaries',
    what: 'an edge that knows the routes of one interface',
    files: () =>
      withManifest('packages/http-edge/package.json', (manifest) => {
        manifest['dependencies'] = { '@qnsp/kms-contract': 'workspace:*' };
      }),
    named: /`@qnsp\/kms-contract` found without any tag listed in allowlist/,
  },
  {
    gate: 'boundaries',
    what: 'an interface that depends on an adapter',
    files: () =>
      withManifest('packages/wire-qnsp/package.json', (manifest) => {
        const kept = manifest['dependencies'] as Record<string, string>;
        manifest['dependencies'] = { ...kept, '@qnsp/kms-store-drizzle': 'workspace:*' };
      }),
    named: /`@qnsp\/kms-store-drizzle` found without any tag listed in[\s|]+allowlist/,
  },
  {
    gate: 'boundaries',
    what: 'an import of a package that is not declared',
    files: () => ({ [CORE]: "export { Hono } from 'hono';\n" }),
    named: 'cannot import package `hono`',
  },
  {
    gate: 'boundaries',
    what: "an import of another package's file",
    files: () => ({ 'packages/kms-contract/src/seeded-violation.ts': "import '../../kms-core/src/index.ts';\n" }),
    named: 'leaves the package',
  },
  {
    gate: 'boundaries',
    what: 'a name that is exported without a decision',
    files: () => ({
      'packages/kms-cache/src/index.ts': `${workspace.read('packages/kms-cache/src/index.ts')}export const seeded = 1;\n`,
    }),
    named: '@qnsp/kms-cache exports seeded',
  },
  {
    gate: 'boundaries',
    what: 'a name that is exported no more',
    files: () => ({ 'packages/credentials-jwt/src/index.ts': "export { jwtVerifier } from './jwt-verifier.ts';\n" }),
    named: '@qnsp/credentials-jwt no longer exports publicKeysIn',
  },
  {
    gate: 'boundaries',
    what: 'folders of a package that import one another, if only types',
    files: () => ({
      'packages/kms-cache/src/seeded-a/one.ts':
        "import type { Two } from '../seeded-b/two.ts';\n\nexport type One = Two;\n",
      'packages/kms-cache/src/seeded-b/two.ts': 'export type Two = string;\n',
      'packages/kms-cache/src/seeded-b/three.ts':
        "import type { One } from '../seeded-a/one.ts';\n\nexport type Three = One;\n",
    }),
    named: /packages\/kms-cache: these folders import one another: seeded-a, seeded-b/,
  },
  {
    gate: 'boundaries',
    what: 'a file beside index.ts that a folder below imports',
    files: () => ({
      'packages/kms-cache/src/seeded-violation.ts':
        "import { one } from './seeded-a/one.ts';\n\nexport const two = one;\n",
      'packages/kms-cache/src/seeded-a/one.ts':
        "import type { Base } from '../seeded-base.ts';\n\nexport const one: Base = 1;\n",
      'packages/kms-cache/src/seeded-base.ts': 'export type Base = number;\n',
    }),
    named: /packages\/kms-cache: these folders import one another: \., seeded-a/,
  },
  {
    gate: 'knip',
    what: 'a file that nothing uses',
    files: () => ({ [CORE]: 'export const unused = 1;\n' }),
    named: 'seeded-violation.ts',
  },
  {
    gate: 'knip',
    what: 'a dependency that nothing uses',
    files: () =>
      withManifest('packages/kms-core/package.json', (manifest) => {
        manifest['dependencies'] = { 'left-over': '1.0.0' };
      }),
    named: 'left-over',
  },
  {
    gate: 'build',
    what: 'code that does not compile',
    files: () => ({ [CORE]: "export const count: number = 'three';\n" }),
    named: /seeded-violation\.ts.*TS2322/s,
  },
  {
    gate: 'publint',
    what: 'an export of a file that is not in the package',
    files: () =>
      withManifest('packages/kms-core/package.json', (manifest) => {
        manifest['publishConfig'] = { exports: { '.': './dist/missing.js' } };
      }),
    named: 'missing.js',
  },
  {
    gate: 'docs',
    what: 'an export without a comment, an operation without an example, and a link that leads nowhere',
    files: () => {
      const exported = 'packages/kms-core/src/exports/lifecycle.ts';
      const operations = 'packages/kms-core/src/door/callers/cryptography.ts';
      return {
        [exported]: `${workspace.read(exported)}export const seeded = 1;\n/** See {@link nowhere}. */\nexport const linked = 1;\n`,
        [operations]: workspace
          .read(operations)
          .replace(/ {3}\* @example\n( {3}\* .*\n)+(?= {3}\*\/\n {2}encrypt\()/, ''),
      };
    },
    named:
      /^(?=.*lifecycle: seeded has no comment)(?=.*core: CallerKms\.encrypt has no @example)(?=.*resolve link to "nowhere")/s,
  },
];

afterAll(() => workspace.remove());

// That each gate holds for the tree as it is, `npm run check` says.
describe.each(gates.filter((gate) => gate !== 'lint'))('the gate %s', { timeout: LIMIT_MS }, (gate) => {
  it.each(violations.filter((violation) => violation.gate === gate))('fails on $what', ({ files, named }) => {
    const { passed, output } = workspace.runWith(files(), gate);
    expect(passed, output).toBe(false);
    expect(output).toMatch(named);
  });
});

it('the gate lint fails on each seeded violation', { timeout: LIMIT_MS }, () => {
  const files = Object.fromEntries(lintViolations.map(({ path, source }) => [path, source]));
  const { passed, output } = workspace.runWith(files, 'lint');
  expect(passed, output).toBe(false);
  const reports = output.split('\n\n');
  const missed = lintViolations.filter(
    ({ path, named }) => !reports.some((report) => report.includes(named) && report.includes(path)),
  );
  expect(missed, output).toEqual([]);
});
