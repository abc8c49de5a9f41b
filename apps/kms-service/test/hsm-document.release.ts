import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, tempDir } from '@qnsp/test-harness';
import { afterAll, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const home = tempDir('qnsp-hsm-session-');
let session: ChildProcess | undefined;

afterAll(async () => {
  if (session?.pid !== undefined && session.exitCode === null) {
    const ended = new Promise((resolve) => {
      session?.once('exit', resolve);
    });
    // The shell, npm and the service are one group.
    process.kill(-session.pid, 'SIGTERM');
    await ended;
  }
  await home.remove();
});

/** The blocks of the session: what makes the token and starts the service, what looks at it, and what that shows. */
function blocks(): readonly string[] {
  const document = readFileSync(join(ROOT, 'docs/hsm.md'), 'utf8');
  const part = document.split('## A session with SoftHSM\n')[1]?.split('\n## ')[0] ?? '';
  return [...part.matchAll(/^```(?:sh)?\n(.*?)^```$/gms)].map((match) => match[1] ?? '');
}

test('the session of docs/hsm.md does what it says', { timeout: 600_000 }, async () => {
  const [start = '', look = '', shown = ''] = blocks();
  expect([start.includes('npm start'), look.includes('pkcs11-tool')]).toEqual([true, true]);
  const port = await freePort();
  const env = {
    PATH: `${dirname(process.execPath)}:${process.env['PATH']}`,
    HOME: home.path,
    PORT: String(port),
    KMS_DATA_DIR: join(home.path, 'data'),
  };
  // What it installs is there.
  const printed = start.replace(/^apt-get install softhsm2 opensc\n/, '');
  expect(printed).not.toContain('apt-get');
  let output = '';
  session = spawn('bash', ['--norc', '-eu', '-c', printed], { cwd: ROOT, env, detached: true, stdio: 'pipe' });
  for (const stream of [session.stdout, session.stderr]) stream?.on('data', (chunk) => (output += String(chunk)));
  const ready = () =>
    fetch(`http://127.0.0.1:${port}/readyz`).then(
      ({ status }) => status,
      () => 'no answer',
    );
  await expect
    .poll(async () => (session?.exitCode === null ? ready() : output), { timeout: 100_000, interval: 200 })
    .toBe(200);

  const exported = /^export SOFTHSM2_CONF=.*$/m.exec(start)?.[0] ?? '';
  const looked = spawnSync('bash', ['--norc', '-eu', '-c', `${exported}\n${look}`], { env, encoding: 'utf8' });
  // It asks for the value as well, which is all that it may complain of.
  expect(looked.stderr).toMatch(/^(?:.*CKR_ATTRIBUTE_SENSITIVE.*\n+)*$/);
  expect(looked.status).toBe(0);
  const lines = (text: string): string[] =>
    text
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '');
  const expected = lines(shown);
  expect(expected.at(-1)).toContain('never extractable');
  const found = lines(looked.stdout);
  for (const line of expected)
    expect(found).toContainEqual(line.endsWith('…') ? expect.stringContaining(line.slice(0, -1).trim()) : line);
});
