import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findFipsProvider, tempDir } from '@qnsp/test-harness';
import { interruption } from './interruption.ts';
import { ensureSystemPackages } from './system-packages.ts';
import type { Tally } from './tally.ts';
import { startTestServers } from './test-servers.ts';
import { runVitest } from './vitest-run.ts';

const workspaceRoot = fileURLToPath(new URL('../../..', import.meta.url));
/**
 * For how long each kind of tests may run, on a machine that is busy with something else. Tests are meant to take under 10
 * minutes on two processors; each soak has its own limit as well.
 */
const LIMIT_MS = { test: 60 * 60_000, release: 60 * 60_000, fips: 60 * 60_000, soak: 3 * 60 * 60_000 };
type Kind = keyof typeof LIMIT_MS;
/** The kinds that take a flag, which names them. */
const FLAGS: Readonly<Record<string, Kind>> = { '--soak': 'soak', '--release': 'release', '--fips': 'fips' };

function buildNativeAddon(): void {
  const script = join(workspaceRoot, 'tooling', 'bin', 'native-addon.mjs');
  const { status } = spawnSync(process.execPath, [script], { stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error('The native part of pkcs11js is not built; the reason is above.');
}

/** A program that the tests start, as a bundle. */
function bundled(name: 'bundle.mjs' | 'bundle-cli.mjs'): string {
  const script = join(workspaceRoot, 'tooling', 'bin', name);
  const { status, stdout } = spawnSync(process.execPath, [script], { stdio: ['ignore', 'pipe', 2], encoding: 'utf8' });
  if (status !== 0) throw new Error(`${name} failed; the reason is above.`);
  return stdout.trim();
}

async function runTests(kind: Kind, args: readonly string[]): Promise<Tally> {
  ensureSystemPackages(process.env);
  buildNativeAddon();
  const fipsModule = kind === 'fips' ? await findFipsProvider() : undefined;
  const [serviceEntry, cliEntry] = [bundled('bundle.mjs'), bundled('bundle-cli.mjs')];
  const signal = interruption(LIMIT_MS[kind]);
  const home = tempDir('qnsp-test-');
  // Whatever the servers and the tests put into temporary places goes away with this directory.
  process.env['TMPDIR'] = home.path;
  // The tests start the same programs again and again.
  process.env['NODE_COMPILE_CACHE'] = join(home.path, 'compile-cache');
  try {
    const servers = await startTestServers(process.env);
    try {
      return await runVitest({
        args,
        cwd: workspaceRoot,
        env: {
          ...process.env,
          ...servers.environment,
          TEST_KIND: kind,
          TEST_SERVICE_ENTRY: serviceEntry,
          TEST_CLI_ENTRY: cliEntry,
          ...(fipsModule === undefined ? {} : { TEST_FIPS_MODULE: fipsModule }),
        },
        reportFile: join(home.path, 'report.json'),
        signal,
      });
    } finally {
      await servers.stop();
      if (signal.aborted) process.stderr.write(`${String(signal.reason)}\n`);
    }
  } finally {
    await home.remove();
  }
}

const args = process.argv.slice(2);
const kind = args.map((arg) => FLAGS[arg]).find((named) => named !== undefined) ?? 'test';
const { passed, failed } = await runTests(
  kind,
  args.filter((arg) => FLAGS[arg] === undefined),
).catch((error: unknown): Tally => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  return { passed: 0, failed: 1 };
});
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
