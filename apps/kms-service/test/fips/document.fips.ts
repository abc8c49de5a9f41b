import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findFipsProvider, freePort, tempDir } from '@qnsp/test-harness';
import { afterAll, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const home = tempDir('qnsp-fips-session-');
let session: ChildProcess | undefined;

afterAll(async () => {
  if (session?.pid !== undefined && session.exitCode === null) {
    const ended = once(session, 'exit');
    // The shell, npm and the service are one group.
    process.kill(-session.pid, 'SIGTERM');
    await ended;
  }
  await home.remove();
});

/** The blocks of the session: what starts the service, what looks at it, and what that shows. */
function blocks(): readonly string[] {
  const document = readFileSync(join(ROOT, 'docs/fips.md'), 'utf8');
  const part = document.split('## A session\n')[1]?.split('\n## ')[0] ?? '';
  return [...part.matchAll(/^```(?:sh)?\n(.*?)^```$/gms)].map((match) => match[1] ?? '');
}

test('the session of docs/fips.md does what it says', async () => {
  const [start = '', look = '', shown = ''] = blocks();
  const place = '/opt/kms-fips/fips.so';
  expect([start.includes(place), start.includes('npm start'), look.includes('/health')]).toEqual([true, true, true]);
  const port = await freePort();
  const env = {
    PATH: `${dirname(process.execPath)}:${process.env['PATH']}`,
    HOME: home.path,
    PORT: String(port),
    KMS_DATA_DIR: join(home.path, 'data'),
  };
  const script = start.replace(place, await findFipsProvider());
  let output = '';
  session = spawn('bash', ['--norc', '-eu', '-c', script], { cwd: ROOT, env, detached: true, stdio: 'pipe' });
  for (const stream of [session.stdout, session.stderr]) stream?.on('data', (chunk) => (output += String(chunk)));
  const ready = () =>
    fetch(`http://127.0.0.1:${port}/readyz`).then(
      ({ status }) => status,
      () => 'no answer',
    );
  await expect
    .poll(async () => (session?.exitCode === null ? ready() : output), { timeout: 110_000, interval: 200 })
    .toBe(200);
  const looked = spawnSync('bash', ['--norc', '-eu', '-c', look], { env, encoding: 'utf8' });
  expect(looked.stdout).toBe(shown);
});
