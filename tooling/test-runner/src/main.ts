import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { tempDir } from '@qnsp/test-harness';
import { interruption } from './interruption.ts';
import { ensureSystemPackages } from './system-packages.ts';
import type { Tally } from './tally.ts';
import { startTestServers } from './test-servers.ts';
import { runVitest } from './vitest-run.ts';

const workspaceRoot = fileURLToPath(new URL('../../..', import.meta.url));
const SOAK_FLAG = '--soak';
/** Each soak has its own limit as well; this one is for all of them, on a slow machine. */
const LIMIT_MS = { test: 10 * 60_000, soak: 3 * 60 * 60_000 };

function buildNativeAddon(): void {
  const script = join(workspaceRoot, 'tooling', 'bin', 'native-addon.mjs');
  const { status } = spawnSync(process.execPath, [script], { stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error('The native part of pkcs11js is not built; the reason is above.');
}

/** The program that the tests start as the service. */
function bundleService(): string {
  const script = join(workspaceRoot, 'tooling', 'bin', 'bundle.mjs');
  const { status, stdout } = spawnSync(process.execPath, [script], { stdio: ['ignore', 'pipe', 2], encoding: 'utf8' });
  if (status !== 0) throw new Error('The service could not be bundled; the reason is above.');
  return stdout.trim();
}

async function runTests(kind: 'test' | 'soak', args: readonly string[]): Promise<Tally> {
  ensureSystemPackages(process.env);
  buildNativeAddon();
  const serviceEntry = bundleService();
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
        env: { ...process.env, ...servers.environment, TEST_KIND: kind, TEST_SERVICE_ENTRY: serviceEntry },
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
const kind = args.includes(SOAK_FLAG) ? 'soak' : 'test';
const { passed, failed } = await runTests(
  kind,
  args.filter((arg) => arg !== SOAK_FLAG),
).catch((error: unknown): Tally => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  return { passed: 0, failed: 1 };
});
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
