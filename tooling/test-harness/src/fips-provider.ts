import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, globSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { availableParallelism, homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { tempDir } from './temp-dir.ts';

/** The release of OpenSSL whose FIPS provider the tests run on, as the package of the Rust registry that carries its sources. */
const SOURCES = { name: 'openssl-src', version: '300.5.0+3.5.0', folder: 'openssl' } as const;
/** The SHA-256 of the archive of that package. */
const ARCHIVE_SHA256 = 'e8ce546f549326b0e6052b649198487d91320875da901e7bd11a06d1ee3f9c2f';

const MODULE = 'fips.so';
/** What `openssl fipsinstall` says of a module, under the name by which it is looked for beside it. */
const MODULE_CONFIGURATION = 'fipsmodule.cnf';

/**
 * The FIPS provider of OpenSSL, with its `fipsmodule.cnf` beside it: the one that `TEST_FIPS_MODULE` names, or else one that is built
 * from sources the first time, which takes some minutes, and kept in the cache of the user.
 *
 * @returns the path of `fips.so`
 * @throws Error saying which step failed; its output is above.
 */
export async function findFipsProvider(): Promise<string> {
  const named = process.env['TEST_FIPS_MODULE'];
  if (named !== undefined) return named;
  const kept = join(
    cacheDirectory(),
    `fips-provider-${process.platform}-${process.arch}-${ARCHIVE_SHA256.slice(0, 16)}`,
  );
  if (!existsSync(kept)) await buildInto(kept);
  return join(kept, MODULE);
}

function cacheDirectory(): string {
  return join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'qnsp-kms');
}

async function buildInto(kept: string): Promise<void> {
  process.stderr.write('Building the FIPS provider of OpenSSL once; this takes some minutes.\n');
  mkdirSync(dirname(kept), { recursive: true });
  const work = tempDir('fips-build-', dirname(kept));
  try {
    run('tar', ['-xzf', fetchSources(work.path), '--strip-components', '1', '-C', work.path], work.path);
    const sources = join(work.path, SOURCES.folder);
    run('./Configure', ['enable-fips', 'no-tests', 'no-docs'], sources);
    const jobs = `-j${availableParallelism()}`;
    run('make', [jobs, 'build_generated'], sources);
    run('make', [jobs, 'providers/fips.so', 'apps/openssl'], sources);
    const made = join(work.path, 'made');
    mkdirSync(made);
    copyFileSync(join(sources, 'providers', MODULE), join(made, MODULE));
    const install = ['fipsinstall', '-out', join(made, MODULE_CONFIGURATION), '-module', join(made, MODULE)];
    run(join(sources, 'apps', 'openssl'), install, work.path, { LD_LIBRARY_PATH: sources });
    keep(made, kept);
  } finally {
    await work.remove();
  }
}

/** Who is faster where two build at the same time wins; what both made is the same. */
function keep(made: string, kept: string): void {
  try {
    renameSync(made, kept);
  } catch (error) {
    if (!existsSync(kept)) throw error;
  }
}

/** Has cargo fetch the package, from wherever it is configured to, and refuses an archive that is not the expected one. */
function fetchSources(directory: string): string {
  const manifest = `[package]\nname = "sources"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\n${SOURCES.name} = "=${SOURCES.version.replace(/\+.*/, '')}"\n`;
  const project = join(directory, 'fetch');
  mkdirSync(join(project, 'src'), { recursive: true });
  writeFileSync(join(project, 'Cargo.toml'), manifest);
  writeFileSync(join(project, 'src', 'lib.rs'), '');
  run('cargo', ['fetch'], project);
  const home = process.env['CARGO_HOME'] ?? join(homedir(), '.cargo');
  const name = `${SOURCES.name}-${SOURCES.version}.crate`;
  const archives = globSync(join(home, 'registry', 'cache', '*', name));
  const found = archives.find((path) => sha256(path) === ARCHIVE_SHA256);
  if (found === undefined) throw new Error(`cargo fetched no ${name} with the SHA-256 ${ARCHIVE_SHA256}.`);
  return found;
}

function sha256(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

/** Runs a step with the lowest claim to the processors. Only the end of what it printed is shown, and only when it fails. */
function run(command: string, args: readonly string[], cwd: string, environment: NodeJS.ProcessEnv = {}): void {
  const { status, error, stdout, stderr } = spawnSync('nice', ['-n', '19', command, ...args], {
    cwd,
    env: { ...process.env, ...environment },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 256 * 1024 * 1024,
  });
  if (error !== undefined) throw error;
  if (status === 0) return;
  process.stderr.write(`${`${stdout}${stderr}`.slice(-4000)}\n`);
  throw new Error(`The FIPS provider was not built: ${command} ${args.join(' ')} failed; its last output is above.`);
}
