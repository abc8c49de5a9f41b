import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onProcessExit } from './exit-cleanup.ts';
import { tempDir } from './temp-dir.ts';

export interface SmallDisk {
  readonly path: string;
  /** Takes all the space that is left. */
  fill(): void;
  /** Gives the space back that `fill` took. */
  free(): void;
  unmount(): Promise<void>;
}

const BLOCK_BYTES = 64 * 1024;

function run(program: string, args: readonly string[]): string | undefined {
  const { status, stderr, error } = spawnSync(program, args, { encoding: 'utf8' });
  return status === 0 ? undefined : (error?.message ?? stderr.trim());
}

/**
 * A file system of its own (tmpfs) with so much space.
 *
 * @throws Error where this process may not mount one: it takes root on Linux.
 */
export function mountSmallDisk(mebibytes: number): SmallDisk {
  const directory = tempDir('qnsp-disk-');
  const { path } = directory;
  const refusal = run('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m,mode=755`, 'tmpfs', path]);
  if (refusal !== undefined) throw new Error(`A small disk cannot be mounted: ${refusal}`);
  // Lazily: a server that is about to end may still have files open there.
  const unmount = (): string | undefined => run('umount', ['--lazy', path]);
  const forget = onProcessExit(unmount);
  const filler = join(path, 'filler');
  return {
    path,
    fill() {
      const block = Buffer.alloc(BLOCK_BYTES);
      for (;;) {
        try {
          writeFileSync(filler, block, { flag: 'a' });
        } catch (error) {
          if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') return;
          throw error;
        }
      }
    },
    free() {
      rmSync(filler);
    },
    async unmount() {
      forget();
      const failure = unmount();
      if (failure !== undefined) throw new Error(`${path} cannot be unmounted: ${failure}`);
      await directory.remove();
    },
  };
}
