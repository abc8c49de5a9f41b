import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import * as files from 'node:fs/promises';
import { join } from 'node:path';
import { type TempDir, tempDir } from '@qnsp/test-harness';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { writeAtomically } from '../src/node/index.ts';
import { failureOf } from './failure-of.ts';

// The calls themselves are real, but for the one of a hard link, which most file systems of a test machine have.
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof files>();
  return { ...real, link: vi.fn<typeof real.link>(real.link), rename: vi.fn<typeof real.rename>(real.rename) };
});

let home: TempDir;
beforeEach(() => {
  home = tempDir('qnsp-atomic-');
});
afterEach(async () => {
  vi.mocked(files.link).mockReset();
  vi.mocked(files.rename).mockReset();
  await home.remove();
});

const refusal = (code: string) => Object.assign(new Error(code), { code, errno: -1, syscall: 'link' });
const at = (name: string) => join(home.path, name);

test('a name as long as a name may be has room for the file beside it', async () => {
  for (const name of ['n'.repeat(255), 'é'.repeat(127), '\u{1F511}'.repeat(63)]) {
    await writeAtomically(at(name), false, (file) => file.writeFile('content'));
    expect(readFileSync(at(name), 'utf8')).toBe('content');
  }
  expect(readdirSync(home.path)).toHaveLength(3);
});

describe.each(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'])('where a hard link is refused by %s', (code) => {
  beforeEach(() => {
    vi.mocked(files.link).mockRejectedValue(refusal(code));
  });

  test('a file is written all the same', async () => {
    await writeAtomically(at('new'), false, (file) => file.writeFile('content'));
    expect(readFileSync(at('new'), 'utf8')).toBe('content');
    expect(statSync(at('new')).mode & 0o777).toBe(0o600);
    expect(readdirSync(home.path)).toEqual(['new']);
  });

  test('a file that came meanwhile is not replaced', async () => {
    const work = writeAtomically(at('new'), false, async (file) => {
      await file.writeFile('content');
      writeFileSync(at('new'), 'somebody else');
    });
    expect(await failureOf(work)).toMatchObject({ code: 'DESTINATION_EXISTS' });
    expect(readFileSync(at('new'), 'utf8')).toBe('somebody else');
    expect(readdirSync(home.path)).toEqual(['new']);
  });

  test('nothing is left when the file can not take its name', async () => {
    vi.mocked(files.rename).mockRejectedValueOnce(refusal('EIO'));
    await expect(writeAtomically(at('new'), false, (file) => file.writeFile('content'))).rejects.toThrow('EIO');
    expect(readdirSync(home.path)).toEqual([]);
  });
});

test('a hard link that fails otherwise is an error', async () => {
  vi.mocked(files.link).mockRejectedValueOnce(refusal('EIO'));
  await expect(writeAtomically(at('new'), false, (file) => file.writeFile('content'))).rejects.toThrow('EIO');
  expect(readdirSync(home.path)).toEqual([]);
});
