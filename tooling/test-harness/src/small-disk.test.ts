import { existsSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { mountSmallDisk } from './small-disk.ts';

test.skipIf(process.getuid?.() !== 0)(
  'a small disk is full until it is freed, and gone when it is unmounted',
  async () => {
    const disk = mountSmallDisk(1);
    const file = join(disk.path, 'file');
    disk.fill();
    expect(statfsSync(disk.path).bfree).toBe(0);
    expect(() => writeFileSync(file, Buffer.alloc(100_000))).toThrow('ENOSPC');
    disk.free();
    writeFileSync(file, Buffer.alloc(100_000));
    await disk.unmount();
    expect(existsSync(disk.path)).toBe(false);
  },
);
