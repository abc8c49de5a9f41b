import { mkdirSync, readdirSync } from 'node:fs';
import { open, readFile, rename, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigurationError } from '../config/configuration-error.ts';

const SUFFIX = '.commits';
const MILLISECONDS_PER_DAY = 24 * 60 * 60 * 1000;

/** Small files in a directory, one for each process that has had it, named by its holder. */
export class CommitFiles {
  readonly #directory: string;

  /** @throws ConfigurationError when the directory can not be made. */
  constructor(directory: string) {
    this.#directory = directory;
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
    } catch (cause) {
      const reason = `${directory} can not be made (${cause instanceof Error ? cause.message : 'unknown reason'})`;
      throw new ConfigurationError([{ variable: 'KMS_STATE_DIR', reason }]);
    }
  }

  /** Those who have a file. */
  holders(): readonly string[] {
    return readdirSync(this.#directory).flatMap((name) =>
      name.endsWith(SUFFIX) ? [name.slice(0, -SUFFIX.length)] : [],
    );
  }

  read(holder: string): Promise<Uint8Array> {
    return readFile(this.#path(holder));
  }

  /** Whole or not at all, and flushed, so that it outlives the machine. */
  async write(holder: string, bytes: Uint8Array): Promise<void> {
    const temporary = `${this.#path(holder)}.tmp`;
    const file = await open(temporary, 'w', 0o600);
    try {
      await file.writeFile(bytes);
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(temporary, this.#path(holder));
  }

  /** Removes what nobody has written for a day: what came later says more. */
  async removeOld(now: number): Promise<void> {
    for (const holder of this.holders()) {
      const { mtimeMs } = await stat(this.#path(holder));
      if (now - mtimeMs > MILLISECONDS_PER_DAY) await unlink(this.#path(holder));
    }
  }

  #path(holder: string): string {
    return join(this.#directory, `${holder}${SUFFIX}`);
  }
}
