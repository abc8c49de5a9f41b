import { globSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly description?: string;
  readonly keywords?: readonly string[];
  readonly license?: string;
  readonly type?: string;
  readonly engines?: { readonly node?: string };
  readonly exports?: Readonly<Record<string, string>>;
  readonly bin?: Readonly<Record<string, string>>;
  readonly publishConfig?: {
    readonly access?: string;
    readonly exports?: Readonly<Record<string, Readonly<Record<string, string>>>>;
    readonly bin?: Readonly<Record<string, string>>;
  };
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

const packages = globSync('packages/*/package.json', { cwd: root })
  .toSorted()
  .map((path) => ({ folder: dirname(path), manifest: JSON.parse(read(path)) as Manifest }))
  .filter(({ manifest }) => manifest.private !== true);
const CORE = '@qnsp/kms-core';

/** The oldest Node.js for each package. Tests run the client and what a service embeds on it, the others on that of the service. */
const OLDEST_NODE: Readonly<Record<string, string>> = {
  '@qnsp/credentials-jwt': '>=26',
  '@qnsp/hsm-pkcs11': '>=26',
  '@qnsp/http-edge': '>=26',
  '@qnsp/kms-audit': '>=24.16',
  '@qnsp/kms-cache': '>=24.16',
  '@qnsp/kms-cli': '>=26',
  '@qnsp/kms-client': '>=20',
  '@qnsp/kms-contract': '>=24.16',
  '@qnsp/kms-core': '>=24.16',
  '@qnsp/kms-store-drizzle': '>=24.16',
  '@qnsp/sigv4': '>=26',
  '@qnsp/wire-aws-kms': '>=26',
  '@qnsp/wire-qnsp': '>=26',
};

/** The packages that have the core as a peer, so that a program has one copy of it. */
const BESIDE_THE_CORE = [
  '@qnsp/credentials-jwt',
  '@qnsp/hsm-pkcs11',
  '@qnsp/http-edge',
  '@qnsp/kms-audit',
  '@qnsp/kms-cache',
  '@qnsp/kms-contract',
  '@qnsp/kms-store-drizzle',
  '@qnsp/wire-aws-kms',
  '@qnsp/wire-qnsp',
];

const names = packages.map(({ manifest }) => manifest.name);

test('all published packages have the same version', () => {
  const { fixed } = JSON.parse(read('.changeset/config.json')) as { fixed: readonly (readonly string[])[] };
  expect(fixed.map((group) => group.toSorted())).toEqual([names.toSorted()]);
});

test('the oldest Node.js of each package is the one that is stated here', () => {
  expect(Object.fromEntries(packages.map(({ manifest }) => [manifest.name, manifest.engines?.node]))).toEqual(
    OLDEST_NODE,
  );
});

test('the core is a peer of what is used beside it, and a dependency of nothing but the command line', () => {
  const having = (kind: 'peerDependencies' | 'dependencies') =>
    packages.flatMap(({ manifest }) => (manifest[kind]?.[CORE] === undefined ? [] : [manifest.name]));
  expect(having('peerDependencies')).toEqual(BESIDE_THE_CORE);
  expect(having('dependencies')).toEqual(['@qnsp/kms-cli']);
});

/** Code of a package that a program may run: neither tests nor the examples in comments. */
function importsOf(folder: string): ReadonlySet<string> {
  const sources = globSync(`${folder}/src/**/*.ts`, { cwd: root }).filter(
    (file) => !/\.(?:test|soak|release)\.ts$/.test(file),
  );
  const found = new Set<string>();
  for (const file of sources) {
    const code = read(file).replaceAll(/^ *\*.*$/gm, '');
    for (const [, from = ''] of code.matchAll(
      /(?:^(?:import|export|\}).*\bfrom |\bimport\(|^import |\bresolve\()'([^'./][^']*)'/gm,
    ))
      if (!isBuiltin(from)) found.add(/^(?:@[^/]+\/)?[^/]+/.exec(from)?.[0] ?? from);
  }
  return found;
}

/** What a package uses where it is installed, and does without elsewhere. */
const WHERE_IT_IS_THERE: Readonly<Record<string, readonly string[]>> = {
  '@qnsp/kms-cli': ['@qnsp/kms-service'],
  '@qnsp/kms-store-drizzle': ['@electric-sql/pglite-prepopulatedfs'],
};

function versionOf(engine: string | undefined): number {
  return Number(/^>=(\d+(?:\.\d+)?)$/.exec(engine ?? '')?.[1]);
}

describe.each(packages.map((each) => [each.manifest.name, each] as const))('%s', (name, { folder, manifest }) => {
  it('says what it is, under which license, and what to find it by', () => {
    expect(manifest).toMatchObject({
      license: 'Apache-2.0',
      type: 'module',
      description: expect.stringMatching(/^[A-Z].{20,}[^.]$/),
      publishConfig: { access: 'public' },
    });
    expect(manifest.keywords).toContain('kms');
    expect(manifest.keywords?.length).toBeGreaterThanOrEqual(3);
    expect(new Set(manifest.keywords).size).toBe(manifest.keywords?.length);
  });

  it('has a README with its name and the Node.js that it needs', () => {
    const readme = read(`${folder}/README.md`);
    expect(readme).toContain(`# ${name}`);
    const node = OLDEST_NODE[name]?.replace('>=', '') ?? '';
    expect(readme).toMatch(new RegExp(`Node\\.js ${node.replace('.', '\\.')}(?: (?:or|and) newer|\\.$|[.,] )`, 'm'));
  });

  it('has types for each of its entries, first', () => {
    const { exports = {}, publishConfig = {} } = manifest;
    const built = Object.entries(exports).map(([path, source]) => {
      const stem = source.replace('./src/', './dist/').replace(/\.ts$/, '');
      return [path, ['types', `${stem}.d.ts`, 'default', `${stem}.js`]];
    });
    const published = Object.entries(publishConfig.exports ?? {}).map(([path, conditions]) => [
      path,
      Object.entries(conditions).flat(),
    ]);
    expect(published).toEqual(built);
    expect(Object.keys(publishConfig.bin ?? {})).toEqual(Object.keys(manifest.bin ?? {}));
    expect(built.length + Object.keys(manifest.bin ?? {}).length).toBeGreaterThan(0);
  });

  it('has what it imports', () => {
    const { dependencies = {}, peerDependencies = {} } = manifest;
    const had = [...Object.keys(dependencies), ...Object.keys(peerDependencies)];
    const used = importsOf(folder);
    const allowed = [...had, name, ...(WHERE_IT_IS_THERE[name] ?? [])];
    expect([...used].filter((from) => !allowed.includes(from))).toEqual([]);
  });

  it('has its peers while it is developed, and asks for no older Node.js than what it imports', () => {
    const { dependencies = {}, peerDependencies = {}, devDependencies = {} } = manifest;
    for (const peer of Object.keys(peerDependencies)) expect(devDependencies).toHaveProperty([peer]);
    for (const other of Object.keys({ ...dependencies, ...peerDependencies }).filter((each) => each in OLDEST_NODE))
      expect(versionOf(OLDEST_NODE[name]), other).toBeGreaterThanOrEqual(versionOf(OLDEST_NODE[other]));
  });
});
