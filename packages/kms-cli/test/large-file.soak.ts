import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type LocalKms, runKms, startLocalKms } from './local-kms.ts';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const MIB = 2 ** 20;
const SIZE_MIB = 1024;
const MEMORY_LIMIT_MIB = 200e6 / MIB;
const ROUNDS = 3;

let kms: LocalKms;
let plain: string;
beforeAll(async () => {
  kms = await startLocalKms();
  plain = join(kms.directory, 'plain');
  const piece = randomBytes(MIB);
  await pipeline(function* () {
    for (let written = 0; written < SIZE_MIB; written += 1) yield piece;
  }, createWriteStream(plain));
  expect(await runKms(kms.environment, ['keys', 'create', '--name', 'large'])).toMatchObject({ code: 0 });
}, 120_000);
afterAll(() => kms.end());

interface Measured {
  readonly seconds: number;
  readonly memoryMib: number;
}

/** Writes down the greatest memory of the process, as the system counted it, when it ends. */
function witness(file: string): string {
  const script = `import { writeFileSync } from 'node:fs';
    process.on('exit', () => writeFileSync(${JSON.stringify(file)}, String(process.resourceUsage().maxRSS)));`;
  return `data:text/javascript,${encodeURIComponent(script)}`;
}

async function timed(file: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const start = performance.now();
  const child = spawn(file, args, { env, stdio: ['ignore', 'ignore', 'inherit'] });
  const code = await new Promise((resolve) => child.once('close', resolve));
  expect(code).toBe(0);
  return (performance.now() - start) / 1000;
}

async function measure(...args: string[]): Promise<Measured> {
  const file = join(kms.directory, 'memory');
  const seconds = await timed(process.execPath, ['--import', witness(file), MAIN, ...args], kms.environment);
  return { seconds, memoryMib: Number(readFileSync(file, 'utf8')) / 1024 };
}

async function openssl(): Promise<number> {
  const out = join(kms.directory, 'openssl');
  const [key, iv] = [randomBytes(32).toString('hex'), randomBytes(16).toString('hex')];
  const args = ['enc', '-aes-256-ctr', '-K', key, '-iv', iv, '-in', plain, '-out', out];
  try {
    return await timed('openssl', args, process.env);
  } finally {
    rmSync(out);
  }
}

async function digest(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

test('1 GiB is encrypted in constant memory, at no less than half the speed of openssl', {
  timeout: 600_000,
}, async () => {
  const sealed = join(kms.directory, 'sealed');
  const again = join(kms.directory, 'again');
  const rounds: Record<'openssl' | 'encrypt' | 'decrypt', number>[] = [];
  let memory = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const reference = await openssl();
    const encrypt = await measure('encrypt', plain, '--key', 'large', '--out', sealed, '--force');
    const decrypt = await measure('decrypt', sealed, '--out', again, '--force');
    memory = Math.max(memory, encrypt.memoryMib, decrypt.memoryMib);
    rounds.push({ openssl: reference, encrypt: encrypt.seconds, decrypt: decrypt.seconds });
  }
  process.stderr.write(`${JSON.stringify({ rounds, memoryMib: Math.round(memory) })}\n`);
  expect(await digest(again)).toBe(await digest(plain));
  expect(memory).toBeLessThanOrEqual(MEMORY_LIMIT_MIB);
  const best = (name: 'openssl' | 'encrypt' | 'decrypt') => Math.min(...rounds.map((round) => round[name]));
  expect(best('encrypt')).toBeLessThanOrEqual(2 * best('openssl'));
  expect(best('decrypt')).toBeLessThanOrEqual(2 * best('openssl'));
});
