import { DatabaseSync } from 'node:sqlite';
import { KmsError } from '@qnsp/kms-core';

/**
 * Limits a directory to one process, which PGlite itself does not: two would destroy the database. The lock is SQLite's
 * on a file beside the directory, which the operating system releases with the process, however it ends.
 *
 * @returns what releases the lock
 */
export function lockDirectory(directory: string): () => void {
  const lock = new DatabaseSync(`${directory}.lock`, { timeout: 0 });
  try {
    lock.exec('begin exclusive');
  } catch (error) {
    lock.close();
    throw new KmsError(
      'STORE_UNAVAILABLE',
      `Another process has the embedded database in ${directory} open: stop it first, or use another directory (KMS_DATA_DIR).`,
      { retryAfterSeconds: 1, cause: error },
    );
  }
  return () => lock.close();
}
