import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { gates } from './gates.ts';

const workspaceRoot = fileURLToPath(new URL('../../..', import.meta.url));

const failed = gates.filter((gate) => {
  process.stdout.write(`\n== ${gate}\n`);
  return spawnSync('npm', ['run', '--silent', gate], { cwd: workspaceRoot, stdio: 'inherit' }).status !== 0;
});
process.stdout.write(failed.length === 0 ? '\nAll gates hold.\n' : `\nThese gates failed: ${failed.join(', ')}\n`);
// The number of failed gates, so that a caller can add them to its own count.
process.exitCode = failed.length;
