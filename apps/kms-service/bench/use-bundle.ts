import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** Has the service bundled and every benchmark start the bundle, as production does. */
export function useBundle(): void {
  const script = join(import.meta.dirname, '../../../tooling/bin/bundle.mjs');
  const entry = execFileSync(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' });
  process.env['TEST_SERVICE_ENTRY'] = entry.trim();
}
