import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { tempDir } from './temp-dir.ts';

describe('tempDir', () => {
  it('makes a new directory each time and removes it with what it holds', async () => {
    const [first, second] = [tempDir(), tempDir()];
    expect(first.path).not.toBe(second.path);
    writeFileSync(join(first.path, 'file'), 'content');
    await first.remove();
    await second.remove();
    expect(existsSync(first.path)).toBe(false);
  });

  it('removes what is left when the process exits', () => {
    const module = new URL('temp-dir.ts', import.meta.url).href;
    const script = `const { tempDir } = await import(${JSON.stringify(module)}); process.stdout.write(tempDir().path); process.exit(0);`;
    const path = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    expect(path).not.toBe('');
    expect(existsSync(path)).toBe(false);
  });
});
