import { openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { createDatabase, freePort, mountSmallDisk, serviceEntry, tempDir } from '@qnsp/test-harness';
import { describe, expect, test, vi } from 'vitest';
import { openOutput } from '../src/http/log-output.ts';

const report = (dropped: number, reason: string) => `dropped ${dropped} ${reason}\n`;
const failure = (code: string) => Object.assign(new Error(code), { code });

/** An output that takes only this many bytes until it is given room. */
function limited(code: string) {
  let room = 0;
  const taken: Buffer[] = [];
  return {
    give: (bytes: number) => {
      room += bytes;
    },
    text: () => Buffer.concat(taken).toString('utf8'),
    write: (bytes: Buffer) => {
      if (room === 0) throw failure(code);
      const some = bytes.subarray(0, room);
      room -= some.length;
      taken.push(Buffer.from(some));
      return some.length;
    },
  };
}

describe('the output of the log', () => {
  test('drops and counts the lines that do not fit, and says so when there is room', () => {
    const disk = limited('ENOSPC');
    const output = openOutput(report, disk.write);
    for (const line of ['one\n', 'two\n', 'three\n']) {
      output.gather(line);
      output.finish();
    }
    expect(disk.text()).toBe('');
    disk.give(1000);
    output.gather('four\n');
    output.finish();
    output.gather('five\n');
    output.finish();
    expect(disk.text()).toBe('dropped 3 ENOSPC\nfour\nfive\n');
  });

  test.each([...Array(80).keys()])('keeps lines whole when the room ends after %i bytes', (bytes) => {
    const disk = limited('ENOSPC');
    const output = openOutput(report, disk.write);
    disk.give(bytes);
    const lines = ['first line\n', 'ä second\n', 'third\n', 'fourth line\n', 'fifth\n'];
    output.gather(lines.slice(0, 2).join(''));
    output.finish();
    output.gather(lines.slice(2).join(''));
    output.finish();
    disk.give(1000);
    output.gather('last\n');
    output.finish();
    const written = disk.text().split('\n').slice(0, -1);
    expect(written.at(-1)).toBe('last');
    const whole = written.filter((line) => lines.includes(`${line}\n`)).length;
    const dropped = written.flatMap((line) => /^dropped (\d+) ENOSPC$/.exec(line)?.[1] ?? []).map(Number);
    // Every line is there, or counted, and none is in pieces.
    expect(whole + dropped.reduce((sum, one) => sum + one, 0)).toBe(lines.length);
    expect(written).toHaveLength(whole + dropped.length + 1);
  });

  test('writes lines of any length and any characters, in their order', () => {
    const pipe = limited('EAGAIN');
    pipe.give(10_000_000);
    const output = openOutput(report, pipe.write);
    const lines = [10, 30_000, 100_000, 20_000, 5].map((length) => `${'\u20ac'.repeat(length)}|\u{1f511}\u00e9\n`);
    for (const line of lines) output.gather(line);
    output.finish();
    expect(pipe.text()).toBe(lines.join(''));
  });

  test('waits for a reader that is slow, with bounded memory', async () => {
    const pipe = limited('EAGAIN');
    const output = openOutput(report, pipe.write);
    output.write('one\n');
    await sleep(20);
    pipe.give(100);
    await vi.waitFor(() => expect(pipe.text()).toBe('one\n'), { timeout: 20_000 });
    pipe.give(-96);
    const line = `${'x'.repeat(99_999)}\n`;
    for (let written = 0; written < 100; written += 1) output.gather(line);
    pipe.give(1000);
    output.gather('two\n');
    output.finish();
    expect(pipe.text()).toMatch(/\ndropped \d+ EAGAIN\n/);
  });
});

test('a service whose log is on a full disk serves, says what it dropped, and ends when it is told to', async () => {
  const disk = mountSmallDisk(1);
  const database = await createDatabase();
  const directory = tempDir('qnsp-full-disk-');
  const port = await freePort();
  const log = join(disk.path, 'log');
  const child = spawn(process.execPath, [serviceEntry()], {
    cwd: directory.path,
    stdio: ['ignore', openSync(log, 'a'), 'ignore'],
    env: {
      PATH: process.env['PATH'],
      PORT: String(port),
      DATABASE_URL: database.url,
      KMS_EMBEDDED_DEFAULTS: 'true',
      KMS_DATA_DIR: join(directory.path, 'data'),
      KMS_BOOTSTRAP_TENANT: 'local',
    },
  });
  try {
    const status = (path: string) => fetch(`http://127.0.0.1:${port}${path}`).then(({ status: code }) => code);
    await vi.waitFor(async () => expect(await status('/readyz')).toBe(200), { timeout: 30_000, interval: 50 });
    disk.fill();
    for (let call = 0; call < 50; call += 1) expect([call, await status('/livez')]).toEqual([call, 200]);
    await sleep(500);
    disk.free();
    await vi.waitFor(
      async () => {
        expect(await status('/livez')).toBe(200);
        const lines = readFileSync(log, 'utf8').trimEnd().split('\n');
        const parsed = lines.map((line) => JSON.parse(line) as { dropped?: number; reason?: string });
        const dropped = parsed.flatMap((line) => line.dropped ?? []).reduce((sum, one) => sum + one, 0);
        expect(dropped).toBeGreaterThan(0);
        expect(parsed.find((line) => line.dropped !== undefined)?.reason).toBe('ENOSPC');
      },
      { timeout: 20_000, interval: 100 },
    );
    disk.fill();
    expect(await status('/livez')).toBe(200);
    const exit = once(child, 'exit');
    child.kill('SIGTERM');
    expect(await exit).toEqual([0, null]);
  } finally {
    child.kill('SIGKILL');
    await disk.unmount();
    await directory.remove();
    await database.drop();
  }
}, 600_000);
