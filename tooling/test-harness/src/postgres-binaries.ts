import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findExecutable } from './executable.ts';

const DEBIAN_ROOT = '/usr/lib/postgresql';

/** The directory that holds `postgres`, `initdb` and `pg_isready`, of the newest version installed. */
export function findPostgresBinaries(): string | undefined {
  const versions = existsSync(DEBIAN_ROOT) ? readdirSync(DEBIAN_ROOT) : [];
  const newest = versions
    .toSorted((left, right) => Number(right) - Number(left))
    .map((version) => join(DEBIAN_ROOT, version, 'bin'))
    .find((directory) => existsSync(join(directory, 'initdb')));
  if (newest !== undefined) return newest;
  const onPath = findExecutable('initdb');
  return onPath === undefined ? undefined : dirname(onPath);
}
