import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSealedRoot, openSealedRoot } from '../src/roots/sealed-file-root.ts';

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'own-adapters-'));
  path = join(directory, 'one.root');
  createSealedRoot(path, 'correct horse');
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

const refusal = expect.objectContaining({ code: 'SEALED' });

describe('a root key in a sealed file', () => {
  it('is for its owner alone, and is never written over', () => {
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const before = readFileSync(path);
    expect(() => createSealedRoot(path, 'correct horse')).toThrow(expect.objectContaining({ code: 'EEXIST' }));
    expect(readFileSync(path)).toEqual(before);
  });

  it('does not open with another passphrase', () => {
    for (const other of ['', 'Correct horse', 'correct horse '])
      expect(() => openSealedRoot('own', path, other)).toThrow(refusal);
  });

  it('does not open when a byte of any part of the file was changed, or is missing', () => {
    const file = readFileSync(path);
    for (const index of [0, 12, 28, 40, file.length - 1]) {
      const changed = Buffer.from(file);
      changed[index] = (changed[index] ?? 0) ^ 1;
      writeFileSync(path, changed);
      expect(() => openSealedRoot('own', path, 'correct horse'), `byte ${index}`).toThrow(refusal);
    }
    for (const length of [0, 12, 30, file.length - 1]) {
      writeFileSync(path, file.subarray(0, length));
      expect(() => openSealedRoot('own', path, 'correct horse'), `${length} bytes`).toThrow(refusal);
    }
  });
});
