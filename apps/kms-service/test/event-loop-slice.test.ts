import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startLocalService } from './local-service.ts';

/** A thread keeps the slice that it asked for since Linux 6.12, and shows it where Linux was built with its own debugging. */
function sliceOf(pid: number): number | undefined {
  const slice = /^se\.slice +: +(\d+)$/m.exec(readFileSync(`/proc/${pid}/sched`, 'utf8'))?.[1];
  return slice === undefined ? undefined : Number(slice);
}

function keepsSlices(): boolean {
  if (process.platform !== 'linux') return false;
  const [major = 0, minor = 0] = release().split('.').map(Number);
  return (major > 6 || (major === 6 && minor >= 12)) && sliceOf(process.pid) !== undefined;
}

describe('the event loop', { timeout: 120_000 }, () => {
  test.runIf(keepsSlices())('asks for a shorter slice than other threads', async () => {
    const local = await startLocalService();
    onTestFinished(() => local.end());
    const { pid = 0 } = local.service.child;
    expect(sliceOf(pid)).toBe(100_000);
    expect(sliceOf(process.pid)).toBeGreaterThan(100_000);
    expect(local.service.logs()).not.toMatch(/slice|experimental/i);
  });
});
