import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { boundToParent, freePort, tempDir } from '@qnsp/test-harness';
import { cpuSeconds } from '../load/cpu-time.ts';

const POLL_MS = 10;
const LIMIT_MS = 90_000;

export interface StartTime {
  /** From the start of the process until it says that it is ready. */
  readonly seconds: number;
  /** The processor time that it had taken by then, of all its threads. */
  readonly cpuSeconds: number;
}

/** Starts the service with this environment, waits until it is ready, and ends it. */
export async function timeStart(env: Readonly<Record<string, string>>): Promise<StartTime> {
  const port = await freePort();
  const home = tempDir('qnsp-start-');
  const { file, args } = boundToParent({ file: process.execPath, args: [entryOfService()] }, 'SIGKILL');
  const started = performance.now();
  const child = spawn(file, args, {
    cwd: home.path,
    env: { PATH: process.env['PATH'], HOST: '127.0.0.1', PORT: String(port), ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint += chunk.toString('utf8');
  });
  const ended = once(child, 'exit');
  try {
    while (!(await isReady(port))) {
      const gone = child.exitCode !== null || child.signalCode !== null;
      if (gone || performance.now() - started > LIMIT_MS)
        throw new Error(`the service did not become ready:\n${complaint}`);
      await sleep(POLL_MS);
    }
    return { seconds: (performance.now() - started) / 1000, cpuSeconds: cpuSeconds(child.pid ?? 0) };
  } finally {
    child.kill('SIGTERM');
    await ended;
    await home.remove();
  }
}

function isReady(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, path: '/readyz', agent: false }, (response) => {
      response.resume();
      response.once('close', () => resolve(response.statusCode === 200));
    });
    request.once('error', () => resolve(false));
  });
}

/** The bundle of the service: what starts from the sources is not what production starts. */
function entryOfService(): string {
  const entry = process.env['TEST_SERVICE_ENTRY'];
  if (entry === undefined) throw new Error('TEST_SERVICE_ENTRY names no bundle');
  return entry;
}
