import { link, lstat, open, rename, unlink } from 'node:fs/promises';
import { KmsClientError } from '../errors/kms-client-error.ts';

/**
 * Gives a file a name that no other has. Unlike a rename, a link does not replace a file created in the meantime.
 *
 * @throws KmsClientError `DESTINATION_EXISTS`
 */
export async function linkNew(partial: string, destination: string): Promise<void> {
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

/**
 * Reserves the name with an empty file, then replaces it. A process that does not check for an existing file can still
 * overwrite it: the check just before leaves hardly any time for that.
 */
async function renameToNew(partial: string, destination: string): Promise<void> {
  const isReserved = await reserve(destination);
  if (!(await isReserved())) throw destinationExists(destination);
  try {
    await rename(partial, destination);
  } catch (error) {
    await removeIf(isReserved, destination).catch(() => undefined);
    throw error;
  }
}

/** Makes an empty file with a new name. The answer tells whether it is still the one that has the name. */
async function reserve(destination: string): Promise<() => Promise<boolean>> {
  try {
    const reserved = await open(destination, 'wx', 0o600);
    try {
      const { dev, ino } = await reserved.stat({ bigint: true });
      return async () => {
        const found = await lstat(destination, { bigint: true });
        return found.dev === dev && found.ino === ino && found.size === 0n;
      };
    } finally {
      await reserved.close();
    }
  } catch (error) {
    if (codeOf(error) === 'EEXIST') throw destinationExists(destination);
    throw error;
  }
}

async function removeIf(isReserved: () => Promise<boolean>, destination: string): Promise<void> {
  if (await isReserved()) await unlink(destination);
}

export function destinationExists(destination: string): KmsClientError {
  return new KmsClientError(
    'DESTINATION_EXISTS',
    `${destination} already exists. Choose another name, or set overwrite to replace it.`,
  );
}

export function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
