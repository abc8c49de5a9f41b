import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runChild } from './child.mjs';
import { fetchVerified } from './verified-archive.mjs';
import { workspaceRoot } from './workspace-root.mjs';

/** The exact version of the package manager, without the hash that follows it in `package.json`. */
function pinnedVersion() {
  const { packageManager } = JSON.parse(readFileSync(join(workspaceRoot, 'package.json'), 'utf8'));
  const match = /^pnpm@(\d+\.\d+\.\d+)\+sha512\.[0-9a-f]{128}$/.exec(packageManager);
  if (match === null) throw new Error('packageManager in package.json names no exact version of pnpm with its hash.');
  return match[1];
}

/** What the lockfile says of the package with pnpm's program for this machine; undefined when it has none. */
function lockedIntegrity(name, version, lockfile) {
  const entry = `\n  '${name}@${version}':\n    resolution: {integrity: `;
  const begin = lockfile.indexOf(entry);
  if (begin === -1) return undefined;
  return lockfile.slice(begin + entry.length, lockfile.indexOf('}', begin));
}

/** pnpm's program as the lockfile names it, by the hash of its archive; undefined when the lockfile has none for this machine. */
function verifiedProgram(version) {
  const name = `@pnpm/exe.${process.platform}-${process.arch}`;
  const integrity = lockedIntegrity(name, version, readFileSync(join(workspaceRoot, 'pnpm-lock.yaml'), 'utf8'));
  if (integrity === undefined) return undefined;
  const place = join(workspaceRoot, 'node_modules', '.package-manager', version);
  const program = join(place, 'package', 'pnpm');
  if (existsSync(program)) return program;
  mkdirSync(join(place, '..'), { recursive: true });
  const temporary = mkdtempSync(`${place}-`);
  try {
    const archive = fetchVerified(name, version, integrity, temporary);
    const { status } = spawnSync('tar', ['-xzf', archive], { cwd: temporary, stdio: ['ignore', 2, 2] });
    if (status !== 0) throw new Error(`${archive} could not be unpacked; the reason is above.`);
    rmSync(archive);
    rmSync(place, { recursive: true, force: true });
    renameSync(temporary, place);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  return program;
}

/**
 * Runs pnpm in the version that `package.json` names. Where the lockfile has the hash of its program for this machine, nothing else
 * is run; elsewhere npm fetches that version and checks it against what the registry says.
 */
export function runPackageManager(args, options) {
  const version = pinnedVersion();
  const program = verifiedProgram(version);
  return program === undefined
    ? runChild('npx', ['--yes', `--package=pnpm@${version}`, '--', 'pnpm', ...args], options)
    : runChild(program, args, options);
}
