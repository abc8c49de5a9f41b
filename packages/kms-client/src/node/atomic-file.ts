import { randomBytes } from 'node:crypto';
import { access, type FileHandle, link, open, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { KmsClientError } from '../kms-client-error.ts';

/**
 * Writes a file that is there only when it is complete and on the disk. Until then there is `.<name>.<random>.partial` beside it
 * (of a long name its beginning), readable by its owner only, which is removed when the work fails; a process that is killed leaves it.
 *
 * @throws KmsClientError `DESTINATION_EXISTS` unless `overwrite`; what `write` and the file system throw.
 */
export async function writeAtomically(
  destination: string,
  overwrite: boolean,
  write: (file: FileHandle) => Promise<void>,
): Promise<void> {
  if (!overwrite && (await exists(destination))) throw destinationExists(destination);
  const directory = dirname(destination);
  const partial = join(directory, `.${shortened(destination)}.${randomBytes(6).toString('hex')}.partial`);
  const file = await open(partial, 'wx', 0o600);
  try {
    try {
      await write(file);
      await file.sync();
    } finally {
      await file.close();
    }
    if (overwrite) await rename(partial, destination);
    else await linkNew(partial, destination);
  } catch (error) {
    await unlink(partial);
    throw error;
  }
  await syncDirectory(directory);
}

/** So much of the name that with what comes around it it fits into the 255 bytes of a name. */
function shortened(destination: string): string {
  return basename(destination).slice(0, 64);
}

/** Unlike a rename, a link does not replace a file that came meanwhile. */
async function linkNew(partial: string, destination: string): Promise<void> {
  try {
    await link(partial, destination);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') throw destinationExists(destination);
    if (!NO_LINKS.includes(codeOf(error))) throw error;
    return renameToNew(partial, destination);
  }
  await unlink(partial);
}

/** What file systems without hard links answer: FAT, network shares, some of containers and phones. */
const NO_LINKS: readonly unknown[] = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'];

/** Takes the name by an empty file first, which nobody else can do then, and replaces that. */
async function renameToNew(partial: string, destination: string): Promise<void> {
  try {
    const reserved = await open(destination, 'wx', 0o600);
    await reserved.close();
  } catch (error) {
    if (codeOf(error) === 'EEXIST') throw destinationExists(destination);
    throw error;
  }
  try {
    await rename(partial, destination);
  } catch (error) {
    await unlink(destination);
    throw error;
  }
}

/** Makes the new name durable. Windows has no such thing and refuses. */
async function syncDirectory(directory: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

function destinationExists(destination: string): KmsClientError {
  return new KmsClientError(
    'DESTINATION_EXISTS',
    `${destination} exists already. Choose another name, or set overwrite to replace it.`,
  );
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
