import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findExecutable } from './executable.ts';
import { accepts } from './port-accepts.ts';
import { startServerProcess } from './server-process.ts';
import { tempDir } from './temp-dir.ts';
import { waitUntil } from './wait-until.ts';

const READY_LIMIT_MS = 15_000;

export interface HaproxyServer {
  readonly port: number;
  /** What it has written to stderr. */
  logs(): string;
  stop(): Promise<void>;
}

/** Starts HAProxy with a configuration that listens on this loopback port, and waits until it accepts connections. */
export async function startHaproxy(configuration: string, port: number): Promise<HaproxyServer> {
  const executable = findExecutable('haproxy');
  if (executable === undefined) throw new Error('haproxy is not installed');
  const home = tempDir('qnsp-haproxy-');
  const file = join(home.path, 'haproxy.cfg');
  writeFileSync(file, configuration);
  const server = await startServerProcess({
    command: { file: executable, args: ['-db', '-f', file] },
    deathSignal: 'SIGKILL',
    cwd: home.path,
    env: { PATH: process.env['PATH'] },
  });
  const stop = async (): Promise<void> => {
    if (server.isRunning()) await server.stop();
    await home.remove();
  };
  try {
    await waitUntil({
      isReady: () => accepts(port),
      hasFailed: () => !server.isRunning(),
      describeFailure: () => `haproxy did not become ready:\n${server.logs()}`,
      limitMs: READY_LIMIT_MS,
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return { port, logs: () => server.logs(), stop };
}
