// Compares what the published packages export with the names that were decided on; with --write it takes over what they export.
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exportedNames } from './exported-names.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const LIST = join(root, 'tooling/gates/exported-names.json');
/** A test of the core has its main entry, of which no more than so many names may be, and `internal` is for this repository. */
const NOT_LISTED = ['@qnsp/kms-core', '@qnsp/kms-core/internal'];

type Names = Readonly<Record<string, readonly string[]>>;

interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly exports?: Readonly<Record<string, string>>;
}

const exported: Names = Object.fromEntries(
  globSync('packages/*/package.json', { cwd: root })
    .toSorted()
    .flatMap((path) => {
      const { name, exports = {}, ...manifest } = JSON.parse(readFileSync(join(root, path), 'utf8')) as Manifest;
      if (manifest.private === true) return [];
      return Object.entries(exports)
        .map(([entry, file]) => [`${name}${entry.slice(1)}`, exportedNames(join(root, dirname(path), file))] as const)
        .filter(([entry]) => !NOT_LISTED.includes(entry));
    }),
);

if (process.argv.includes('--write')) writeFileSync(LIST, `${JSON.stringify(exported, null, 2)}\n`);
const decided = JSON.parse(readFileSync(LIST, 'utf8')) as Names;

const problems = [...new Set([...Object.keys(exported), ...Object.keys(decided)])].flatMap((entry) => {
  const [now, before] = [exported[entry] ?? [], decided[entry] ?? []];
  const added = now.filter((name) => !before.includes(name)).map((name) => `${entry} exports ${name}`);
  const removed = before.filter((name) => !now.includes(name)).map((name) => `${entry} no longer exports ${name}`);
  return [...added, ...removed];
});
for (const problem of problems) process.stdout.write(`${problem}\n`);
if (problems.length === 0) process.stdout.write('The packages export the names that were decided on.\n');
else {
  process.stdout.write(
    'Every later release has to keep what is exported. If it is meant: npm run exports -- --write\n',
  );
  process.exitCode = 1;
}
