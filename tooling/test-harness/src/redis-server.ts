import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { findExecutable } from './executable.ts';
import { freePort } from './free-port.ts';
import { type ServerProcess, startServerProcess } from './server-process.ts';
import { tempDir } from './temp-dir.ts';
import { waitUntil } from './wait-until.ts';

const READY_LIMIT_MS = 120_000;

export interface RedisServer {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  logs(): string;
  /** Ends the server and removes its directory. */
  stop(): Promise<void>;
  kill9(): Promise<void>;
  sigstop(): void;
  sigcont(): void;
  /** Starts it again on the same port, empty. */
  restart(): Promise<void>;
}

function answersPing(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    const settle = (answered: boolean): void => {
      socket.destroy();
      resolve(answered);
    };
    socket.once('data', (reply) => {
      // One that asks for a password answers as well.
      settle(/^(?:\+PONG|-NOAUTH)/.test(reply.toString('latin1')));
    });
    socket.once('error', () => {
      settle(false);
    });
  });
}

export interface RedisOptions {
  /** More of its command line, such as `--requirepass`. */
  readonly settings?: readonly string[];
  /** Runs it as a sentinel with this configuration. */
  readonly sentinel?: string;
}

export async function startRedis({ settings = [], sentinel }: RedisOptions = {}): Promise<RedisServer> {
  const executable = findExecutable('redis-server');
  if (executable === undefined) throw new Error('redis-server is not installed');
  const [home, port] = [tempDir('qnsp-redis-'), await freePort()];
  const place = ['--bind', '127.0.0.1', '--port', String(port), '--dir', home.path, ...settings];
  const args = [...place, '--save', '', '--appendonly', 'no'];
  if (sentinel !== undefined) {
    // A sentinel keeps what it learns in its configuration.
    const file = join(home.path, 'sentinel.conf');
    writeFileSync(file, sentinel);
    args.splice(0, args.length, file, ...place, '--sentinel');
  }

  const start = async (): Promise<ServerProcess> => {
    const server = await startServerProcess({
      command: { file: executable, args },
      deathSignal: 'SIGKILL',
      cwd: home.path,
      env: { PATH: process.env['PATH'] },
    });
    await waitUntil({
      isReady: () => answersPing(port),
      hasFailed: () => !server.isRunning(),
      describeFailure: () => `Redis did not become ready:\n${server.logs()}`,
      limitMs: READY_LIMIT_MS,
    });
    return server;
  };

  let current = await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    get pid() {
      return current.pid;
    },
    logs: () => current.logs(),
    async stop() {
      if (current.isRunning()) await current.stop();
      await home.remove();
    },
    kill9: () => current.kill9(),
    sigstop: () => {
      current.sigstop();
    },
    sigcont: () => {
      current.sigcont();
    },
    async restart() {
      if (current.isRunning()) await current.stop();
      current = await start();
    },
  };
}
