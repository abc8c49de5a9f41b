import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onProcessExit } from './exit-cleanup.ts';

export interface TempDir {
  readonly path: string;
  remove(): Promise<void>;
}

/** A new directory that is removed when this process ends, if `remove` has not been called by then. */
export function tempDir(prefix = 'qnsp-', parent = tmpdir()): TempDir {
  const path = mkdtempSync(join(parent, prefix));
  // Servers that run as a user of their own have to pass through it.
  chmodSync(path, 0o755);
  const forget = onProcessExit(() => {
    rmSync(path, { recursive: true, force: true, maxRetries: 3 });
  });
  return {
    path,
    async remove() {
      await rm(path, { recursive: true, force: true });
      forget();
    },
  };
}
