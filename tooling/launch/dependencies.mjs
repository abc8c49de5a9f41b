import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exclusively } from './exclusive.mjs';
import { runPackageManager } from './package-manager.mjs';
import { workspaceRoot } from './workspace-root.mjs';

const stampFile = join(workspaceRoot, 'node_modules', '.installed-lockfile');

function digest(text) {
  return createHash('sha256').update(text).digest('hex');
}

function isInstalled(wanted) {
  return existsSync(stampFile) && readFileSync(stampFile, 'utf8') === wanted;
}

async function install() {
  const environment = { ...process.env };
  // With NODE_ENV=production the package manager would leave out the tools that the tests and gates need.
  delete environment.NODE_ENV;
  const { code } = await runPackageManager(
    ['install', '--frozen-lockfile'],
    // Progress goes to stderr: stdout belongs to the program that the caller asked for.
    { cwd: workspaceRoot, env: environment, stdio: ['ignore', 2, 2] },
  );
  if (code !== 0) throw new Error('Installing the dependencies failed; the reason is above.');
}

/** Installs what pnpm-lock.yaml names unless exactly that is installed already. */
export async function ensureDependencies() {
  const wanted = digest(readFileSync(join(workspaceRoot, 'pnpm-lock.yaml')));
  if (isInstalled(wanted)) return;
  const lock = join(tmpdir(), `qnsp-kms-install-${digest(workspaceRoot).slice(0, 16)}`);
  await exclusively(lock, async () => {
    if (isInstalled(wanted)) return;
    await install();
    writeFileSync(stampFile, wanted);
  });
}
