import { existsSync, lstatSync, mkdirSync, realpathSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';

/** The directory that is meant; a link is followed. It and its parents are created if they do not exist. */
export function ensureDirectory(directory: string): string {
  // PGlite makes its files readable by everyone; the directories around them are not.
  mkdirSync(dirname(directory), { recursive: true, mode: 0o700 });
  const isLink = lstatSync(directory, { throwIfNoEntry: false })?.isSymbolicLink() === true;
  if (!isLink) mkdirSync(directory, { recursive: true, mode: 0o700 });
  return realpathSync(directory);
}

/**
 * Opens the cluster in a directory. A new one is a copy of one that comes as a package, where that is installed, which
 * takes a third of the time and memory of making it. It gets its place once it is complete: what an interrupted process
 * leaves behind is made again.
 */
export async function openCluster(directory: string): Promise<PGlite> {
  if (!existsSync(join(directory, 'PG_VERSION'))) await placeCluster(directory);
  return PGlite.create(directory);
}

async function placeCluster(directory: string): Promise<void> {
  const unfinished = `${directory}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { mode: 0o700 });
  const client = await PGlite.create(unfinished, await preparedCluster());
  await client.close();
  // Takes the place of an empty directory only: one with other files in it is somebody else's.
  renameSync(unfinished, directory);
}

/** Opens a cluster that nothing keeps. */
export async function openInMemory(dataDir: string): Promise<PGlite> {
  return PGlite.create(dataDir, await preparedCluster());
}

/** The service brings the package. It cannot be a dependency here: it names one other version of PGlite as its peer. */
async function preparedCluster(): Promise<{ readonly loadDataDir?: Blob }> {
  try {
    const { dataDir } = await import('@electric-sql/pglite-prepopulatedfs');
    return { loadDataDir: await dataDir() };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND') return {};
    throw error;
  }
}
