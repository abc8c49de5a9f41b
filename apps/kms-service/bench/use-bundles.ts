import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const PROGRAMS = { TEST_SERVICE_ENTRY: 'bundle.mjs', TEST_CLI_ENTRY: 'bundle-cli.mjs' };

/** Has the service and the command line bundled, and every benchmark start the bundles, which are what is published. */
export function useBundles(): void {
  for (const [name, file] of Object.entries(PROGRAMS)) {
    const script = join(import.meta.dirname, '../../../tooling/bin', file);
    const entry = execFileSync(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' });
    process.env[name] = entry.trim();
  }
}
