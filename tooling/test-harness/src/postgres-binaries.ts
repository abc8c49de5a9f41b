import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findExecutable } from './executable.ts';

const DEBIAN_ROOT = '/usr/lib/postgresql';

/**
 * The directory that holds `postgres`, `initdb` and `pg_isready`: the one that `TEST_POSTGRES_BINARIES` names, or that of
 * the newest version installed.
 */
export function findPostgresBinaries(): string | undefined {
  const chosen = process.env['TEST_POSTGRES_BINARIES'];
  if (chosen !== undefined && chosen !== '') {
    if (!existsSync(join(chosen, 'initdb')))
      throw new Error(`TEST_POSTGRES_BINARIES names ${chosen}, which has no initdb.`);
    return chosen;
  }
  const versions = existsSync(DEBIAN_ROOT) ? readdirSync(DEBIAN_ROOT) : [];
  const newest = versions
    .toSorted((left, right) => Number(right) - Number(left))
    .map((version) => join(DEBIAN_ROOT, version, 'bin'))
    .find((directory) => existsSync(join(directory, 'initdb')));
  if (newest !== undefined) return newest;
  const onPath = findExecutable('initdb');
  return onPath === undefined ? undefined : dirname(onPath);
}
