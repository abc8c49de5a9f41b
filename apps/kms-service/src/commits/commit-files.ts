import { mkdirSync, readdirSync } from 'node:fs';
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigurationError } from '../config/configuration-error.ts';
import { REMEMBERED_MS } from '@qnsp/kms-core/ports';

const SUFFIX = '.commits';
const UNFINISHED = `${SUFFIX}.tmp`;

/** Small files in a directory, one for each process that has had it, named by its holder. */
export class CommitFiles {
  readonly #directory: string;
  #oldAreGone = false;

  /** @throws ConfigurationError if the directory cannot be created. */
  constructor(directory: string) {
    this.#directory = directory;
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
    } catch (cause) {
      const reason = `${directory} cannot be created (${cause instanceof Error ? cause.message : 'unknown reason'})`;
      throw new ConfigurationError([{ variable: 'KMS_STATE_DIR', reason }]);
    }
  }

  /** Those who have a file. */
  holders(): readonly string[] {
    return readdirSync(this.#directory).flatMap((name) =>
      name.endsWith(SUFFIX) ? [name.slice(0, -SUFFIX.length)] : [],
    );
  }

  /** `undefined` for what is so old that the database may have forgotten it. */
  async read(holder: string): Promise<Uint8Array | undefined> {
    const path = join(this.#directory, holder + SUFFIX);
    return (await isOld(path)) ? undefined : readFile(path);
  }

  /** Whole or not at all, and flushed, so that it outlives the machine. The first time, what is too old to be read goes. */
  async write(holder: string, bytes: Uint8Array): Promise<void> {
    const temporary = join(this.#directory, holder + UNFINISHED);
    const file = await open(temporary, 'w', 0o600);
    try {
      await file.writeFile(bytes);
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(temporary, join(this.#directory, holder + SUFFIX));
    if (this.#oldAreGone) return;
    this.#oldAreGone = true;
    for (const name of readdirSync(this.#directory)) {
      const path = join(this.#directory, name);
      if ((name.endsWith(SUFFIX) || name.endsWith(UNFINISHED)) && (await isOld(path))) await rm(path, { force: true });
    }
  }
}

/** Even of a file that another process has removed in the meantime. */
async function isOld(path: string): Promise<boolean> {
  const found = await stat(path, { throwIfNoEntry: false });
  return found === undefined || Date.now() - found.mtimeMs > REMEMBERED_MS;
}
