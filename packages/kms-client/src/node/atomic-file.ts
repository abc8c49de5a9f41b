import { randomBytes } from 'node:crypto';
import { access, type FileHandle, open, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { codeOf, destinationExists, linkNew } from './new-name.ts';

/**
 * Writes a file that appears only once it is complete and on the disk. Until then there is `.<name>.<random>.partial`
 * beside it (of a long name its beginning), readable by its owner only, which is removed when the work fails; a process
 * that is killed leaves it, and where the file system has no hard links perhaps an empty file in place of a new
 * one.
 *
 * @returns what `write` does
 * @throws KmsClientError `DESTINATION_EXISTS` unless `overwrite`; what `write` and the file system throw. What went wrong with the
 *   file beside it has the destination as its `path`, and as its `dest`.
 */
export async function writeAtomically<Result>(
  destination: string,
  overwrite: boolean,
  write: (file: FileHandle) => Promise<Result>,
): Promise<Result> {
  if (!overwrite && (await exists(destination))) throw destinationExists(destination);
  const directory = dirname(destination);
  const partial = join(directory, `.${shortened(destination)}.${randomBytes(6).toString('hex')}.partial`);
  try {
    const file = await open(partial, 'wx', 0o600);
    const result = await orRemoved(partial, async () => {
      const written = await fill(file, write);
      if (overwrite) await rename(partial, destination);
      else await linkNew(partial, destination);
      return written;
    });
    await syncDirectory(directory);
    return result;
  } catch (error) {
    throw ofDestination(error, partial, destination);
  }
}

async function fill<Result>(file: FileHandle, write: (file: FileHandle) => Promise<Result>): Promise<Result> {
  try {
    const result = await write(file);
    await file.sync();
    return result;
  } finally {
    await file.close();
  }
}

async function orRemoved<Result>(path: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    // What went wrong first says more than that the file could not be removed either.
    await unlink(path).catch(() => undefined);
    throw error;
  }
}

/** Nobody asked for the file beside it, whose name may be cut off. */
function ofDestination(error: unknown, partial: string, destination: string): unknown {
  if (!isErrorOf(error, partial)) return error;
  const { code, errno, syscall } = error;
  const facts = { code, errno, syscall, path: destination, dest: destination };
  return Object.assign(new Error(error.message.replaceAll(partial, destination), { cause: error }), facts);
}

function isErrorOf(error: unknown, path: string): error is NodeJS.ErrnoException {
  return error instanceof Error && 'path' in error && error.path === path;
}

/** As much of the name as fits, with its additions, into the 255 bytes of a file name. */
function shortened(destination: string): string {
  return basename(destination).slice(0, 64);
}

/** Makes the new name durable, where that can be asked for. */
async function syncDirectory(directory: string): Promise<void> {
  if (process.platform === 'win32') return;
  try {
    const handle = await open(directory, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    // The file is in its place all the same.
    if (!NO_SYNC.includes(codeOf(error))) throw error;
  }
}

/** What directories answer that may be written but not read, and those of file systems that sync none. */
const NO_SYNC: readonly unknown[] = ['EACCES', 'EPERM', 'EINVAL', 'ENOTSUP', 'EOPNOTSUPP'];

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}
