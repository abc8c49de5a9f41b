import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { startService } from './service.ts';
import { tempDir } from './temp-dir.ts';

const MIB = 2 ** 20;
const PACKAGES = new URL('../../../packages/', import.meta.url);

/** The bundle that `TEST_CLI_ENTRY` names, or else its sources. */
function commandLine(): string {
  return process.env['TEST_CLI_ENTRY'] ?? fileURLToPath(new URL('kms-cli/src/main.ts', PACKAGES));
}

/** What one way of encrypting or decrypting took. */
export interface FileMeasure {
  readonly way: string;
  readonly direction: 'encrypt' | 'decrypt';
  /** The fastest round. */
  readonly seconds: number;
  /** The greatest resident memory of the process in any round, as the system counted it, in bytes. */
  readonly memoryBytes: number;
}

export interface FileRounds {
  /** The fastest round of `openssl enc -aes-256-ctr`. */
  readonly opensslSeconds: number;
  readonly measures: readonly FileMeasure[];
}

interface Places {
  readonly plain: string;
  readonly sealed: string;
  readonly again: string;
  readonly keyId: string;
}

interface Way {
  readonly name: string;
  readonly encrypt: (places: Places) => readonly string[];
  readonly decrypt: (places: Places) => readonly string[];
}

/** Everything after `node --import WITNESS`; what goes through pipes is wrapped in a shell that has them. */
const WAYS: readonly Way[] = [
  {
    name: 'command line, file to file',
    encrypt: ({ plain, sealed, keyId }) => [
      commandLine(),
      'encrypt',
      plain,
      '--key',
      keyId,
      '--out',
      sealed,
      '--force',
    ],
    decrypt: ({ sealed, again }) => [commandLine(), 'decrypt', sealed, '--out', again, '--force'],
  },
  {
    name: 'command line, pipe to file',
    encrypt: ({ plain, sealed, keyId }) => [
      `< ${plain}`,
      commandLine(),
      'encrypt',
      '--key',
      keyId,
      '--out',
      sealed,
      '--force',
    ],
    decrypt: ({ sealed, again }) => [`< ${sealed}`, commandLine(), 'decrypt', '--out', again, '--force'],
  },
  {
    name: 'command line, pipe to pipe',
    encrypt: ({ plain, sealed, keyId }) => [`< ${plain}`, `> ${sealed}`, commandLine(), 'encrypt', '--key', keyId],
    decrypt: ({ sealed, again }) => [`< ${sealed}`, `> ${again}`, commandLine(), 'decrypt'],
  },
  {
    name: 'TypeScript, file to file',
    encrypt: ({ plain, sealed, keyId }) => program('encryptFile', { source: plain, destination: sealed, keyId }),
    decrypt: ({ sealed, again }) => program('decryptFile', { source: sealed, destination: again }),
  },
];

/** The README's program, reduced to one call. */
function program(call: 'encryptFile' | 'decryptFile', options: Readonly<Record<string, string>>): readonly string[] {
  const script = `
    import { readFileSync } from 'node:fs';
    import { createKmsClient } from '${new URL('kms-client/src/index.ts', PACKAGES).href}';
    import { createFileEnvelope } from '${new URL('kms-client/src/node/index.ts', PACKAGES).href}';
    const { baseUrl, apiToken } = JSON.parse(readFileSync(process.env.KMS_DATA_DIR + '/client.json', 'utf8'));
    const files = createFileEnvelope(createKmsClient({ baseUrl, token: apiToken }));
    await files.${call}({ ...${JSON.stringify(options)}, overwrite: true });`;
  return ['--input-type=module', '--eval', script];
}

/** Records the peak memory of the process when it ends. */
function witness(file: string): string {
  const script = `import { writeFileSync } from 'node:fs';
    process.on('exit', () => writeFileSync(${JSON.stringify(file)}, String(process.resourceUsage().maxRSS)));`;
  return `data:text/javascript,${encodeURIComponent(script)}`;
}

async function timed(file: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const start = performance.now();
  const child = spawn(file, args, { env, stdio: ['ignore', 'ignore', 'inherit'] });
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`${file} ended with ${String(code)}`);
  return (performance.now() - start) / 1000;
}

/** Runs a program of Node.js; arguments that begin with `<` or `>` put a pipe there. */
async function measured(argv: readonly string[], env: NodeJS.ProcessEnv, file: string) {
  const from = argv.find((each) => each.startsWith('< '))?.slice(2);
  const to = argv.find((each) => each.startsWith('> '))?.slice(2);
  const rest = argv.filter((each) => !/^[<>] /.test(each));
  const command = [process.execPath, '--import', witness(file), ...rest];
  const pipes = `${from === undefined ? '' : 'cat "$FROM" | '}"$@"${to === undefined ? '' : ' | cat > "$TO"'}`;
  const environment = { ...env, PATH: process.env['PATH'], FROM: from, TO: to };
  const seconds = await timed('bash', ['-o', 'pipefail', '-c', pipes, 'bash', ...command], environment);
  return { seconds, memoryBytes: Number(readFileSync(file, 'utf8')) * 1024 };
}

async function openssl(plain: string, out: string): Promise<number> {
  const [key, iv] = [randomBytes(32).toString('hex'), randomBytes(16).toString('hex')];
  try {
    return await timed(
      'openssl',
      ['enc', '-aes-256-ctr', '-K', key, '-iv', iv, '-in', plain, '-out', out],
      process.env,
    );
  } finally {
    rmSync(out, { force: true });
  }
}

async function digest(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

/**
 * Encrypts and decrypts a file in every available way, against a real service and beside `openssl enc`, round by round,
 * so that whatever else the machine does affects all of them.
 *
 * @throws Error when a file does not come back as it was.
 */
export async function fileRounds(
  sizeMib: number,
  rounds: number,
  say: (progress: string) => void = () => undefined,
): Promise<FileRounds> {
  const home = tempDir('qnsp-file-rounds-');
  const env = { KMS_DATA_DIR: join(home.path, '.kms') };
  const service = await startService({ env: { KMS_EMBEDDED_DEFAULTS: 'true', ...env } });
  const at = (name: string) => join(home.path, name);
  try {
    const [plain, sealed, again] = [at('plain'), at('sealed'), at('again')];
    const piece = randomBytes(MIB);
    await pipeline(function* () {
      for (let written = 0; written < sizeMib; written += 1) yield piece;
    }, createWriteStream(plain));
    const original = await digest(plain);
    await timed(process.execPath, [commandLine(), 'keys', 'create', '--name', 'large'], env);
    const places = { plain, sealed, again, keyId: await keyIdOf(env.KMS_DATA_DIR) };
    const all: FileMeasure[] = [];
    const reference: number[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      reference.push(await openssl(plain, at('openssl')));
      for (const way of WAYS) {
        for (const direction of ['encrypt', 'decrypt'] as const)
          all.push({ way: way.name, direction, ...(await measured(way[direction](places), env, at('memory'))) });
        if ((await digest(again)) !== original) throw new Error(`${way.name}: the file is not the same again`);
        rmSync(sealed);
        rmSync(again);
      }
      say(`round ${round} of ${rounds}`);
    }
    return { opensslSeconds: Math.min(...reference), measures: best(all) };
  } finally {
    await service.stop();
    await home.remove();
  }
}

async function keyIdOf(dataDir: string): Promise<string> {
  const { baseUrl, apiToken } = JSON.parse(readFileSync(join(dataDir, 'client.json'), 'utf8')) as {
    baseUrl: string;
    apiToken: string;
  };
  const response = await fetch(`${baseUrl}/kms/v1/keys?name=large`, {
    headers: { authorization: `Bearer ${apiToken}` },
  });
  const { items } = (await response.json()) as { items: readonly { keyId: string }[] };
  const [key] = items;
  if (key === undefined) throw new Error('the key was not made');
  return key.keyId;
}

function best(all: readonly FileMeasure[]): readonly FileMeasure[] {
  return WAYS.flatMap(({ name }) =>
    (['encrypt', 'decrypt'] as const).map((direction) => {
      const rounds = all.filter((each) => each.way === name && each.direction === direction);
      return {
        way: name,
        direction,
        seconds: Math.min(...rounds.map(({ seconds }) => seconds)),
        memoryBytes: Math.max(...rounds.map(({ memoryBytes }) => memoryBytes)),
      };
    }),
  );
}
