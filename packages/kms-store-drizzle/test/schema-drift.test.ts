import { execFileSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { tempDir } from '@qnsp/test-harness';
import { afterAll, describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
const KIT = join(dirname(createRequire(import.meta.url).resolve('drizzle-kit')), 'bin.cjs');

interface Journal {
  readonly entries: readonly { readonly idx: number; readonly tag: string }[];
}

describe('the migrations', { timeout: 600_000 }, () => {
  const copies = tempDir('qnsp-drift-');
  afterAll(() => copies.remove());

  /** Lets drizzle-kit write what is missing into a copy. Answers what it says, and the migrations that it added. */
  function generate(name: string, change: (directory: string) => void): { said: string; added: readonly string[] } {
    const directory = join(copies.path, name);
    cpSync(join(ROOT, 'migrations'), directory, { recursive: true });
    change(directory);
    const before = new Set(readdirSync(directory));
    const options = ['--dialect=postgresql', '--schema=./src/schema/*.ts', `--out=${relative(ROOT, directory)}`];
    const said = execFileSync(process.execPath, [KIT, 'generate', ...options], { cwd: ROOT, encoding: 'utf8' });
    return { said, added: readdirSync(directory).filter((file) => !before.has(file)) };
  }

  it('make the tables that the schema describes: there is nothing to generate', () => {
    const { said, added } = generate('as-committed', () => undefined);
    expect(said).toContain('nothing to migrate');
    expect(added).toEqual([]);
  });

  it('would get another one for a difference', () => {
    const { added } = generate('without-the-newest-table', (directory) => {
      const file = join(directory, 'meta', '_journal.json');
      const journal = JSON.parse(readFileSync(file, 'utf8')) as Journal;
      // Before the last one that made a table: the ones after it alone may have been written by hand.
      const kept = journal.entries.filter(({ idx }) => idx < 11);
      for (const { idx, tag } of journal.entries.slice(kept.length)) {
        rmSync(join(directory, `${tag}.sql`));
        rmSync(join(directory, 'meta', `${String(idx).padStart(4, '0')}_snapshot.json`));
      }
      writeFileSync(file, JSON.stringify({ ...journal, entries: kept }));
    });
    expect(added).toHaveLength(1);
  });
});
