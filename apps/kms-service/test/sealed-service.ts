import { spawn } from 'node:child_process';
import { freePort, serviceEntry } from '@qnsp/test-harness';
import { expect, vi } from 'vitest';
import { send } from './local-service.ts';

/** Starts a service that does not become ready, looks at it, and ends it. */
export async function withSealedService(
  env: Readonly<Record<string, string>>,
  directory: string,
  look: (baseUrl: string) => Promise<void>,
): Promise<void> {
  const port = env['PORT'] ?? String(await freePort());
  const child = spawn(process.execPath, [serviceEntry()], {
    env: { PATH: process.env['PATH'], HOST: '127.0.0.1', ...env, PORT: port },
    cwd: directory,
    stdio: 'ignore',
  });
  const ended = new Promise((resolve) => void child.once('exit', resolve));
  try {
    const baseUrl = `http://127.0.0.1:${port}`;
    const selfTest = { checks: { selfTest: { status: 'ok' } } };
    // It has done all that it will do at its start when the self test, which comes last, is through.
    await vi.waitFor(
      async () => expect((await send(`${baseUrl}/health`, 'GET', undefined)).body).toMatchObject(selfTest),
      {
        timeout: 20_000,
        interval: 100,
      },
    );
    await look(baseUrl);
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
}
