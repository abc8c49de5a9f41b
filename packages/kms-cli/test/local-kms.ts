import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../src/run.ts';
import { createDatabase, type Service, startService, tempDir } from '@qnsp/test-harness';

/** The bundle, which starts in a quarter of the time. */
export const MAIN = process.env['TEST_CLI_ENTRY'] ?? fileURLToPath(new URL('../src/main.ts', import.meta.url));

/** How a command ended and what it wrote. */
export interface Ran {
  readonly code: number | NodeJS.Signals | null;
  readonly out: string;
  readonly bytes: Buffer;
  readonly err: string;
}

/** Runs the command line as its own process, with nothing of this process's environment. */
export async function runKms(
  environment: Readonly<Record<string, string>>,
  args: readonly string[],
  options: { readonly input?: Uint8Array; readonly cwd?: string } = {},
): Promise<Ran> {
  const child = spawn(process.execPath, [MAIN, ...args], { env: environment, cwd: options.cwd });
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  // A command that fails early does not read its input.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? new Uint8Array());
  const code = await new Promise<number | NodeJS.Signals | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status, signal) => {
      resolve(status ?? signal);
    });
  });
  const bytes = Buffer.concat(out);
  return { code, bytes, out: bytes.toString('utf8'), err: Buffer.concat(err).toString('utf8') };
}

/** Runs the command line within this process, for what needs no pipe. */
export async function callKms(
  environment: Readonly<Record<string, string>>,
  args: readonly string[],
): Promise<Omit<Ran, 'bytes'>> {
  let [out, err] = ['', ''];
  const code = await run(args, {
    environment,
    out: (text) => void (out += text),
    err: (text) => void (err += text),
  });
  return { code, out, err };
}

/** A real service, with a directory for files beside it. */
export interface LocalKms {
  readonly service: Service;
  readonly directory: string;
  /** What makes the command line find it by its `client.json`. */
  readonly environment: Readonly<Record<string, string>>;
  end(): Promise<void>;
}

/** On a PostgreSQL database, which starts in a fraction of the time. */
export async function startLocalKms(env: Readonly<Record<string, string>> = {}): Promise<LocalKms> {
  const database = await createDatabase();
  const kms = await startEmbeddedKms({ DATABASE_URL: database.url, ...env });
  return {
    ...kms,
    async end() {
      await kms.end();
      await database.drop();
    },
  };
}

/** As `npm start` does. */
export async function startEmbeddedKms(env: Readonly<Record<string, string>> = {}): Promise<LocalKms> {
  const home = tempDir('qnsp-cli-');
  const dataDir = join(home.path, '.kms');
  const service = await startService({ env: { KMS_EMBEDDED_DEFAULTS: 'true', KMS_DATA_DIR: dataDir, ...env } });
  return {
    service,
    directory: home.path,
    environment: { KMS_DATA_DIR: dataDir },
    async end() {
      // It would stop half a second later, after looking whether something comes over the connections that are kept here.
      await service.kill9();
      await home.remove();
    },
  };
}
