import { readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import * as files from 'node:fs/promises';
import { join } from 'node:path';
import { type TempDir, tempDir } from '@qnsp/test-harness';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { writeAtomically } from '../src/node/index.ts';
import { failureOf } from './failure-of.ts';

// The calls themselves are real, but where a test says what a file system answers that no test machine has.
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof files>();
  return {
    ...real,
    link: vi.fn<typeof real.link>(real.link),
    open: vi.fn<typeof real.open>(real.open),
    rename: vi.fn<typeof real.rename>(real.rename),
    unlink: vi.fn<typeof real.unlink>(real.unlink),
  };
});

let home: TempDir;
beforeEach(() => {
  home = tempDir('qnsp-atomic-');
});
afterEach(async () => {
  for (const call of [files.link, files.open, files.rename, files.unlink]) vi.mocked(call).mockReset();
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

  test('nothing is left when the file cannot take its name', async () => {
    vi.mocked(files.rename).mockRejectedValueOnce(refusal('EIO'));
    await expect(writeAtomically(at('new'), false, (file) => file.writeFile('content'))).rejects.toThrow('EIO');
    expect(readdirSync(home.path)).toEqual([]);
  });
});

describe('where there are no hard links, the file of somebody who does not look', () => {
  beforeEach(() => {
    vi.mocked(files.link).mockRejectedValue(refusal('EPERM'));
  });
  const write = () => writeAtomically(at('new'), false, (file) => file.writeFile('content'));
  const theirs = () => {
    writeFileSync(at('theirs'), 'somebody else');
    renameSync(at('theirs'), at('new'));
  };

  test.each([
    ['in its place', theirs],
    ['in the file itself', () => writeFileSync(at('new'), 'somebody else')],
  ])('is not replaced when it comes %s', async (_way, comes) => {
    const { open } = await vi.importActual<typeof files>('node:fs/promises');
    vi.mocked(files.open).mockImplementation(async (path, ...more) => {
      const opened = await open(path, ...more);
      if (path !== at('new')) return opened;
      // Between the moment when the name is taken and the one when it is looked at.
      const close = opened.close.bind(opened);
      opened.close = async () => {
        await close();
        comes();
      };
      return opened;
    });
    expect(await failureOf(write())).toMatchObject({ code: 'DESTINATION_EXISTS' });
    expect(readFileSync(at('new'), 'utf8')).toBe('somebody else');
    expect(readdirSync(home.path)).toEqual(['new']);
  });

  test('is not removed when the file cannot take its name', async () => {
    vi.mocked(files.rename).mockImplementationOnce(async () => {
      theirs();
      throw refusal('EIO');
    });
    await expect(write()).rejects.toThrow('EIO');
    expect(readFileSync(at('new'), 'utf8')).toBe('somebody else');
    expect(readdirSync(home.path)).toEqual(['new']);
  });

  test('and one that cannot be removed do not hide what went wrong', async () => {
    vi.mocked(files.rename).mockRejectedValueOnce(refusal('EIO'));
    vi.mocked(files.unlink).mockRejectedValue(refusal('EBUSY'));
    await expect(write()).rejects.toThrow('EIO');
  });
});

describe('an error of the file beside it', () => {
  test.each([
    ['opened', 'open'],
    ['renamed', 'rename'],
  ] as const)('names the whole destination, when it cannot be %s', async (_what, syscall) => {
    const name = 'n'.repeat(200);
    const fail = async (path: unknown) => {
      const text = `EACCES: permission denied, ${syscall} '${String(path)}'`;
      throw Object.assign(new Error(text), { code: 'EACCES', errno: -13, syscall, path });
    };
    vi.mocked(files[syscall]).mockImplementationOnce(fail);
    const work = writeAtomically(at(name), true, (file) => file.writeFile('content'));
    const facts = { code: 'EACCES', errno: -13, syscall, path: at(name), dest: at(name) };
    await expect(work).rejects.toMatchObject({ ...facts, message: expect.stringContaining(`'${at(name)}'`) });
    expect(readdirSync(home.path)).toEqual([]);
  });
});

describe('a directory', () => {
  const onDirectory = async (code: string) => {
    const { open } = await vi.importActual<typeof files>('node:fs/promises');
    vi.mocked(files.open).mockImplementation(async (path, ...more) => {
      if (path === home.path) throw refusal(code);
      return open(path, ...more);
    });
    return writeAtomically(at('new'), false, async (file) => {
      await file.writeFile('content');
      return 'what was written';
    });
  };

  test.each(['EACCES', 'EINVAL', 'ENOTSUP'])(
    'that answers %s to a sync does not undo what is in its place',
    async (code) => {
      expect(await onDirectory(code)).toBe('what was written');
      expect(readFileSync(at('new'), 'utf8')).toBe('content');
    },
  );

  test('that fails otherwise is an error', async () => {
    await expect(onDirectory('EIO')).rejects.toThrow('EIO');
  });
});

test('a hard link that fails otherwise is an error', async () => {
  vi.mocked(files.link).mockRejectedValueOnce(refusal('EIO'));
  await expect(writeAtomically(at('new'), false, (file) => file.writeFile('content'))).rejects.toThrow('EIO');
  expect(readdirSync(home.path)).toEqual([]);
});
