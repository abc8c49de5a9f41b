import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { closeSync, constants, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { EXIT, EXIT_CODE_OF_SIGNAL } from '../src/terminal/exit-codes.ts';
import { type LocalKms, MAIN, runKms, startLocalKms } from './local-kms.ts';

const MIB = 2 ** 20;
/** A command that goes on is found out by this; one that ends takes none of it. */
const PATIENCE_MS = 20_000;
const SIGNALS = Object.keys(EXIT_CODE_OF_SIGNAL) as (keyof typeof EXIT_CODE_OF_SIGNAL)[];
let kms: LocalKms;

beforeAll(async () => {
  kms = await startLocalKms();
  expect((await runKms(kms.environment, ['keys', 'create', '--name', 'files'])).code).toBe(EXIT.done);
});
afterAll(() => kms.end());

interface Started {
  readonly child: ChildProcessWithoutNullStreams;
  /** How it ended: nobody has to read its output for that. */
  readonly ended: Promise<unknown>;
}

function start(...args: string[]): Started {
  const child = spawn(process.execPath, [MAIN, ...args], { env: kms.environment, cwd: kms.directory });
  child.stdin.on('error', () => undefined);
  return { child, ended: new Promise((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal))) };
}

async function interrupt({ child, ended }: Started, signal: NodeJS.Signals): Promise<unknown> {
  child.kill(signal);
  const end = await Promise.race([ended, sleep(PATIENCE_MS, 'still running', { ref: false })]);
  if (end === 'still running') child.kill('SIGKILL');
  return end;
}

describe.each(SIGNALS)('the first %s ends', { timeout: 600_000 }, (signal) => {
  test('a command whose output nobody reads', async () => {
    const started = start('encrypt', '--key', 'files');
    started.child.stdin.write(randomBytes(4 * MIB));
    // The first segment is larger than what the system takes for a reader who does not read.
    await expect.poll(() => started.child.stdout.readableLength, { timeout: PATIENCE_MS }).toBeGreaterThan(10_000);
    expect(await interrupt(started, signal)).toBe(EXIT_CODE_OF_SIGNAL[signal]);
  });

  test('a command that waits for its input', async () => {
    const started = start('sign', '--key', 'files');
    // More than the system takes for a reader who does not read: when it has gone, somebody reads.
    await new Promise((resolve) => started.child.stdin.write(randomBytes(700_000), resolve));
    expect(await interrupt(started, signal)).toBe(EXIT_CODE_OF_SIGNAL[signal]);
  });

  test('a command that leaves signals to the system', async () => {
    const exported = join(kms.directory, `export-${signal}`);
    execFileSync('mkfifo', [exported]);
    const key = join(kms.directory, 'key.pem');
    writeFileSync(key, generateKeyPairSync('ed25519').publicKey.export({ format: 'pem', type: 'spki' }));
    const started = start('audit', 'verify', exported, '--public-key', key);
    // It opens only when somebody reads.
    let writer = -1;
    const isRead = () => {
      writer = openSync(exported, constants.O_WRONLY | constants.O_NONBLOCK);
    };
    await vi.waitFor(isRead, { timeout: PATIENCE_MS });
    expect(await interrupt(started, signal)).toBe(signal);
    closeSync(writer);
  });
});
