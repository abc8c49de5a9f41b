import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findExecutable } from './executable.ts';
import { freePort } from './free-port.ts';
import { accepts } from './port-accepts.ts';
import { startServerProcess } from './server-process.ts';
import { tempDir } from './temp-dir.ts';
import { waitUntil } from './wait-until.ts';

const READY_LIMIT_MS = 120_000;
/** It refuses to run as root. */
const USER = 'postgres';

export interface PgbouncerOptions {
  /** Of the server behind it. Its user and password are those that a client needs here. */
  readonly serverUrl: string;
  readonly mode: 'session' | 'transaction' | 'statement';
  /** Lines of the section `[pgbouncer]`, over those of Debian's package with a pool of 10 connections. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface Pgbouncer {
  readonly port: number;
  readonly pid: number;
  /** The URL of a database of the server, by way of the pooler. */
  url(databaseUrl: string): string;
  logs(): string;
  stop(): Promise<void>;
}

/** Starts pgbouncer in front of every database of a PostgreSQL server on the loopback address. */
export async function startPgbouncer(options: PgbouncerOptions): Promise<Pgbouncer> {
  const executable = findExecutable('pgbouncer');
  if (executable === undefined) throw new Error('pgbouncer is not installed');
  const [home, port, server] = [tempDir('qnsp-pgbouncer-'), await freePort(), new URL(options.serverUrl)];
  const password = decodeURIComponent(server.password);
  const users = join(home.path, 'users.txt');
  writeFileSync(users, `"${decodeURIComponent(server.username)}" "${password.replaceAll('"', '""')}"\n`);
  const settings = {
    listen_addr: '127.0.0.1',
    listen_port: String(port),
    unix_socket_dir: '',
    auth_type: password === '' ? 'trust' : 'scram-sha-256',
    auth_file: users,
    pool_mode: options.mode,
    default_pool_size: '10',
    max_client_conn: '200',
    ...options.settings,
  };
  const configuration = join(home.path, 'pgbouncer.ini');
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`);
  const target = `host=127.0.0.1 port=${server.port === '' ? '5432' : server.port}`;
  writeFileSync(configuration, ['[databases]', `* = ${target}`, '[pgbouncer]', ...lines, ''].join('\n'));
  const pooler = await startServerProcess({
    command: { file: executable, args: [configuration] },
    asUser: process.getuid?.() === 0 ? USER : undefined,
    deathSignal: 'SIGKILL',
    cwd: home.path,
    env: { PATH: process.env['PATH'] },
  });
  const stop = async (): Promise<void> => {
    // At once: by SIGTERM it would wait for its clients in newer versions.
    if (pooler.isRunning()) await pooler.stop('SIGQUIT');
    await home.remove();
  };
  try {
    await waitUntil({
      isReady: () => accepts(port),
      hasFailed: () => !pooler.isRunning(),
      describeFailure: () => `pgbouncer did not become ready:\n${pooler.logs()}`,
      limitMs: READY_LIMIT_MS,
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    port,
    pid: pooler.pid,
    url: (databaseUrl) => {
      const url = new URL(databaseUrl);
      url.hostname = '127.0.0.1';
      url.port = String(port);
      return url.href;
    },
    logs: () => pooler.logs(),
    stop,
  };
}
