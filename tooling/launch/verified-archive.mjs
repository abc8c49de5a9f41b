import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Fetches a package, and refuses it unless it is what the lockfile names. Answers the path of its archive. */
export function fetchVerified(name, version, integrity, directory) {
  const { status, stdout } = spawnSync('npm', ['pack', '--json', '--ignore-scripts', `${name}@${version}`], {
    cwd: directory,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 2],
  });
  if (status !== 0) throw new Error(`${name}@${version} could not be fetched; the reason is above.`);
  const [{ filename }] = Object.values(JSON.parse(stdout));
  const archive = join(directory, filename);
  const found = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`;
  if (found !== integrity)
    throw new Error(`${name}@${version} is not what pnpm-lock.yaml names: ${found} instead of ${integrity}.`);
  return archive;
}
