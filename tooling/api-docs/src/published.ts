import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const workspaceRoot = fileURLToPath(new URL('../../..', import.meta.url));

/** What a program can import of a published package. */
export interface Entry {
  /** As an import names it. */
  readonly name: string;
  readonly packageName: string;
  /** Where the package is, from the root of the workspace. */
  readonly folder: string;
  readonly path: string;
}

interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly exports?: Readonly<Record<string, string>>;
}

/** The entries of all published packages; `./internal` is for other packages of this repository alone. */
export function publishedEntries(root = workspaceRoot): readonly Entry[] {
  return globSync('packages/*/package.json', { cwd: root })
    .toSorted()
    .flatMap((path) => {
      const manifest = JSON.parse(readFileSync(join(root, path), 'utf8')) as Manifest;
      if (manifest.private === true) return [];
      return Object.entries(manifest.exports ?? {})
        .filter(([subpath]) => subpath !== './internal')
        .map(([subpath, file]) => ({
          name: `${manifest.name}${subpath.slice(1)}`,
          packageName: manifest.name,
          folder: dirname(path),
          path: join(root, dirname(path), file),
        }));
    });
}
