import { type FileHandle, open, stat } from 'node:fs/promises';
import { linesOf, objectIn } from '../../files/json-lines.ts';
import { CommandError, EXIT } from '../../terminal/exit-codes.ts';
import { writtenLine } from './list-line.ts';

/** What was written is on the disk after this much. */
const FLUSH_BYTES = 256 * 1024;

/** Whether two paths lead to one file. */
async function isSameFile(one: string, other: string): Promise<boolean> {
  const [a, b] = await Promise.all([one, other].map((path) => stat(path, { bigint: true }).catch(noFile)));
  return a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino;
}

function noFile(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}

/** How many ciphertexts are under one version of a key. */
export interface VersionCount {
  readonly key: string;
  readonly version: string;
  readonly ciphertexts: number;
  /** How many of them could not be encrypted again. */
  readonly failed: number;
}

/**
 * The lines that are done, which are all there is to know of how far the work has got: as many lines of the list are done as this file
 * has. A line that was being written when the program ended is cut off.
 */
export class OutputFile implements AsyncDisposable {
  readonly #file: FileHandle;
  readonly #counts = new Map<string, VersionCount>();
  #lines = 0;
  /** Of the complete lines that were found, until the rest is cut off. */
  #length: number | undefined;
  #last: string | undefined;
  #pending: string[] = [];
  #pendingBytes = 0;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /**
   * Opens the file, or makes it, readable by its owner only, and reads what is done. It is left as it is until something is added: only then
   * is it known to be of the list.
   *
   * @param list the file with the list
   * @throws CommandError for the list itself
   */
  static async open(path: string, list: string, signal: AbortSignal | undefined): Promise<OutputFile> {
    if (await isSameFile(path, list))
      throw new CommandError(EXIT.usage, 'The list cannot be its own output: name another --out.');
    // Not truncated, and made where it is not there.
    const file = await open(path, 'a+', 0o600);
    const output = new OutputFile(file);
    try {
      let length = 0;
      for await (const { text, end, isComplete } of linesOf(path, signal)) {
        if (!isComplete) {
          // The beginning of a first line, or something else that has no line feed and is not this program's to cut off.
          if (length === 0 && (!text.startsWith('{') || objectIn(text) !== undefined))
            throw new CommandError(EXIT.data, `${path} is not the output of such a list: name another --out.`);
          break;
        }
        output.#count(text);
        length = end;
      }
      output.#length = length;
      return output;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** How many lines are done. */
  get lines(): number {
    return this.#lines;
  }

  /** The last of them. */
  get last(): string | undefined {
    return this.#last;
  }

  /** How many ciphertexts are under each version, by key and version. */
  get counts(): readonly VersionCount[] {
    return [...this.#counts.values()].sort(
      (a, b) => a.key.localeCompare(b.key) || Number(a.version) - Number(b.version),
    );
  }

  get failed(): number {
    return this.counts.reduce((sum, { failed }) => sum + failed, 0);
  }

  /** Adds a line, which ends in a line feed. */
  async add(line: string): Promise<void> {
    this.#count(line);
    this.#pending.push(line);
    this.#pendingBytes += line.length;
    if (this.#pendingBytes >= FLUSH_BYTES) await this.flush();
  }

  async flush(): Promise<void> {
    if (this.#pending.length === 0) return;
    if (this.#length !== undefined) await this.#file.truncate(this.#length);
    this.#length = undefined;
    const text = this.#pending.join('');
    this.#pending = [];
    this.#pendingBytes = 0;
    await this.#file.appendFile(text);
    await this.#file.datasync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      // Also of work that failed or was interrupted: what is done need not be done again.
      await this.flush();
    } finally {
      await this.#file.close();
    }
  }

  #count(line: string): void {
    const { keyId: key, version, failed } = writtenLine(line);
    const name = `${key} ${version}`;
    const before = this.#counts.get(name) ?? { key, version, ciphertexts: 0, failed: 0 };
    this.#counts.set(name, {
      ...before,
      ciphertexts: before.ciphertexts + 1,
      failed: before.failed + Number(failed),
    });
    this.#lines += 1;
    this.#last = line;
  }
}
