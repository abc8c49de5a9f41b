import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { EXIT, EXIT_CODE_OF_SIGNAL } from '../src/terminal/exit-codes.ts';
import { run as inProcess } from '../src/run.ts';
import { callKms, type LocalKms, MAIN, runKms, startLocalKms } from './local-kms.ts';

const MIB = 2 ** 20;
const DONE = { status: EXIT.done, stderr: '' };
let kms: LocalKms;
let directory: string;
let count = 0;

beforeAll(async () => {
  kms = await startLocalKms();
  expect((await runKms(kms.environment, ['keys', 'create', '--name', 'files'])).code).toBe(EXIT.done);
});
afterAll(() => kms.end());
beforeEach(() => {
  directory = join(kms.directory, `files-${(count += 1)}`);
  mkdirSync(directory);
});

const run = (args: readonly string[], input?: Uint8Array) =>
  runKms(kms.environment, args, { cwd: directory, ...(input === undefined ? {} : { input }) });
const at = (name: string) => join(directory, name);

describe('kms encrypt and decrypt', () => {
  test('give a file back after its key was rotated, and say nothing', async () => {
    const content = randomBytes(3 * MIB + 5);
    writeFileSync(at('plain'), content);
    expect(await run(['encrypt', 'plain', '--key', 'files'])).toMatchObject({ code: EXIT.done, out: '', err: '' });
    expect((await run(['keys', 'rotate', 'files'])).code).toBe(EXIT.done);
    expect(await run(['decrypt', 'plain.qnsp', '--out', 'again'])).toMatchObject({ code: EXIT.done, out: '', err: '' });
    expect(Buffer.compare(readFileSync(at('again')), content)).toBe(0);
    expect(statSync(at('again')).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory).sort()).toEqual(['again', 'plain', 'plain.qnsp']);
  });

  test('work in pipes, and with files at one end', async () => {
    const content = randomBytes(2 * MIB + 1);
    const sealed = await run(['encrypt', '--key', 'files', '--context', 'of=pipe'], content);
    expect(sealed).toMatchObject({ code: EXIT.done, err: '' });
    const opened = await run(['decrypt', '--context', 'of=pipe'], sealed.bytes);
    expect(opened.err).toBe('');
    expect(Buffer.compare(opened.bytes, content)).toBe(0);
    expect((await run(['decrypt', '--context', 'of=pipe', '--out', 'opened'], sealed.bytes)).code).toBe(EXIT.done);
    expect(Buffer.compare(readFileSync(at('opened')), content)).toBe(0);
    const fromFile = await run(['encrypt', 'opened', '--key', 'files', '--out', '-']);
    expect(Buffer.compare((await run(['decrypt'], fromFile.bytes)).bytes, content)).toBe(0);
  });

  describe('through pipes of the system', () => {
    const shell = (script: string) => {
      const { status, stderr } = spawnSync(
        'bash',
        ['-o', 'pipefail', '-c', `kms() { "$NODE" "$MAIN" "$@"; }; ${script}`],
        {
          cwd: directory,
          env: { ...kms.environment, PATH: process.env['PATH'], NODE: process.execPath, MAIN },
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'pipe'],
        },
      );
      return { status, stderr };
    };
    const FIRST = MIB - 56;

    test.each([0, 1, FIRST - 1, FIRST, FIRST + 1, 2 * MIB, 5 * MIB + 7])('give %i bytes back', async (length) => {
      const content = randomBytes(length);
      writeFileSync(at('plain'), content);
      expect(shell('cat plain | kms encrypt --key files | kms decrypt | cat > again')).toEqual(DONE);
      expect(Buffer.compare(readFileSync(at('again')), content)).toBe(0);
      expect(shell('kms encrypt --key files < plain > sealed && kms decrypt < sealed > once-more')).toEqual(DONE);
      expect(Buffer.compare(readFileSync(at('once-more')), content)).toBe(0);
    });

    test('take single bytes, and wait for who reads slowly', () => {
      const content = randomBytes(2 * MIB);
      writeFileSync(at('plain'), content);
      const slowly = 'while head -c 300000 && sleep 0.01 && [ $((i += 1)) -lt 9 ]; do true; done';
      expect(shell(`cat plain | kms encrypt --key files | { ${slowly}; } > sealed`)).toEqual(DONE);
      const bytewise = 'dd bs=1 count=3000 status=none; cat';
      expect(shell(`{ ${bytewise}; } < sealed | kms decrypt | { ${slowly}; } > again`)).toEqual(DONE);
      expect(Buffer.compare(readFileSync(at('again')), content)).toBe(0);
    });

    test('release only what is authentic, and say by the exit code that it is not all', () => {
      const content = randomBytes(3 * MIB);
      writeFileSync(at('plain'), content);
      expect(shell('kms encrypt plain --key files')).toEqual(DONE);
      const sealed = readFileSync(at('plain.qnsp'));
      sealed[sealed.length - 2 * MIB] = (sealed[sealed.length - 2 * MIB] ?? 0) ^ 1;
      writeFileSync(at('changed'), sealed);
      expect(shell('cat changed | kms decrypt | cat > again').status).toBe(EXIT.data);
      const released = readFileSync(at('again'));
      expect(released.length).toBe(FIRST);
      expect(Buffer.compare(released, content.subarray(0, FIRST))).toBe(0);
      expect(shell('cat changed | kms decrypt --out kept').status).toBe(EXIT.data);
      expect(readdirSync(directory).sort()).toEqual(['again', 'changed', 'plain', 'plain.qnsp']);
    });

    test('end quietly when nobody wants more', () => {
      writeFileSync(at('plain'), randomBytes(3 * MIB));
      expect(shell('cat plain | kms encrypt --key files | head -c 100 > beginning').stderr).toBe('');
      expect(statSync(at('beginning')).size).toBe(100);
    });

    test('end when the result cannot be written, though there is more to read', () => {
      const endless = 'kms encrypt --key files < <(cat plain; exec sleep 600)';
      writeFileSync(at('plain'), randomBytes(3 * MIB));
      expect(shell(`${endless} > /dev/full; code=$?; kill $!; exit $code`)).toMatchObject({
        status: EXIT.output,
        stderr: expect.stringContaining('ENOSPC'),
      });
    });

    test('end when the data is refused, though there is more to read', () => {
      writeFileSync(at('plain'), randomBytes(1000));
      expect(shell('kms encrypt plain --key files')).toEqual(DONE);
      const endless = 'kms decrypt --context other=one < <(cat plain.qnsp; exec sleep 600)';
      expect(shell(`${endless}; code=$?; kill $!; exit $code`).status).toBe(EXIT.data);
    });
  });

  test('end with 65 for what was changed, wherever that is', { timeout: 600_000 }, async () => {
    writeFileSync(at('plain'), 'attack at dawn');
    expect((await run(['encrypt', 'plain', '--key', 'files'])).code).toBe(EXIT.done);
    const sealed = readFileSync(at('plain.qnsp'));
    // Every part of the header has some: magic, version, key id, digest of the context, lengths, wrapped key; and the stream behind it.
    for (let place = 0; place < sealed.length; place += 7) {
      const changed = Buffer.from(sealed);
      changed[place] = (changed[place] ?? 0) ^ 1;
      writeFileSync(at('changed.qnsp'), changed);
      const ran = await callKms(kms.environment, ['decrypt', at('changed.qnsp'), '--out', at('opened')]);
      expect({ place, code: ran.code, out: ran.out }).toEqual({ place, code: EXIT.data, out: '' });
      expect(ran.err).toMatch(/^[^\n]+\n$/);
      expect(existsSync(at('opened'))).toBe(false);
    }
    const piped = Buffer.from(sealed);
    piped[16] = (piped[16] ?? 0) ^ 1;
    expect((await run(['decrypt'], piped)).code).toBe(EXIT.data);
  });

  test('replace a file only when asked, and never a device', async () => {
    writeFileSync(at('plain'), 'new');
    writeFileSync(at('plain.qnsp'), 'old');
    const refused = await run(['encrypt', 'plain', '--key', 'files']);
    expect(refused).toMatchObject({ code: EXIT.output, err: expect.stringContaining('--force') });
    expect(readFileSync(at('plain.qnsp'), 'utf8')).toBe('old');
    expect((await run(['encrypt', 'plain', '--key', 'files', '--force'])).code).toBe(EXIT.done);
    expect((await run(['decrypt', 'plain.qnsp', '--force'])).code).toBe(EXIT.done);
    expect(readFileSync(at('plain'), 'utf8')).toBe('new');
    expect((await run(['encrypt', 'plain', '--key', 'files', '--force', '--out', '/dev/null'])).code).toBe(EXIT.output);
    expect(statSync('/dev/null').isCharacterDevice()).toBe(true);
  });

  test('show a progress bar on a terminal only', async () => {
    writeFileSync(at('plain'), randomBytes(4 * MIB));
    const command = `"${process.execPath}" "${MAIN}" encrypt plain --key files`;
    const child = spawn('script', ['-qec', command, '/dev/null'], { env: kms.environment, cwd: directory });
    let shown = '';
    child.stdout.on('data', (chunk: Buffer) => (shown += chunk.toString()));
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(0);
    expect(shown).toMatch(/\[#{30}\] 100 %  4\.0 MiB, \d+ MiB\/s/);
    expect(existsSync(at('plain.qnsp'))).toBe(true);
  });

  test.each(Object.entries(EXIT_CODE_OF_SIGNAL))('leave nothing behind after %s', async (signal, code) => {
    const child = spawn(process.execPath, [MAIN, 'encrypt', '--key', 'files', '--out', 'sealed'], {
      env: kms.environment,
      cwd: directory,
    });
    let err = '';
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    child.stdin.on('error', () => undefined);
    child.stdin.write(randomBytes(4 * MIB));
    const partial = expect.stringMatching(/^\.sealed\..*\.partial$/);
    await expect.poll(() => readdirSync(directory), { timeout: 20_000 }).toEqual([partial]);
    child.kill(signal as NodeJS.Signals);
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(code);
    expect(err).toBe('Interrupted: no output file was written.\n');
    expect(readdirSync(directory)).toEqual([]);
  });

  describe('while the data key is asked for', () => {
    let silent: Server;
    let asked = 0;
    let environment: Readonly<Record<string, string>>;
    beforeAll(async () => {
      silent = createServer(() => (asked += 1));
      await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
      // A server that listens on TCP has such an address.
      const { port } = silent.address() as AddressInfo;
      environment = { KMS_URL: `http://127.0.0.1:${port}`, KMS_TOKEN: 'x' };
    });
    afterAll(
      () =>
        new Promise<void>((resolve) => {
          silent.close(() => resolve());
          silent.closeAllConnections();
        }),
    );

    test.each(['from a file', 'from a pipe'])(
      'end at once, %s',
      async (way) => {
        writeFileSync(at('plain'), 'content');
        const source = way === 'from a file' ? ['plain'] : [];
        const args = ['encrypt', ...source, '--key', '0198f2a5-0c1d-7e2f-8a3b-4c5d6e7f8091', '--out', 'sealed'];
        const before = asked;
        const child = spawn(process.execPath, [MAIN, ...args], { env: environment, cwd: directory });
        const ended = new Promise((resolve) => child.once('close', resolve));
        child.stdin.on('error', () => undefined);
        child.stdin.write('content');
        await expect.poll(() => asked, { timeout: 20_000 }).toBe(before + 1);
        child.kill('SIGINT');
        // Well before the 30 seconds after which the client gives up by itself.
        expect(await Promise.race([ended, sleep(15_000, 'still running')])).toBe(EXIT.interrupted);
        expect(readdirSync(directory)).toEqual(['plain']);
      },
      600_000,
    );
  });

  test('say of a change that it may have been made', async () => {
    let err = '';
    const code = await inProcess(['keys', 'rotate', '0198f2a5-0c1d-7e2f-8a3b-4c5d6e7f8091'], {
      environment: { KMS_URL: kms.service.baseUrl, KMS_TOKEN: 'x' },
      out: () => undefined,
      err: (text) => void (err += text),
      signal: AbortSignal.abort(EXIT.terminated),
    });
    expect(code).toBe(EXIT.terminated);
    expect(err).toBe('Interrupted: the change may have been made all the same, so check before you run it again.\n');
  });
});
