import { execFile } from 'node:child_process';
import { chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';
import { findPostgresBinaries } from './postgres-binaries.ts';
import { type ServerProcess, startServerProcess } from './server-process.ts';
import { tempDir } from './temp-dir.ts';
import { waitUntil } from './wait-until.ts';

const run = promisify(execFile);
const READY_LIMIT_MS = 120_000;
const SUPERUSER = 'postgres';

export interface PostgresOptions {
  /** Lines of postgresql.conf, over the small and durable defaults. */
  readonly settings?: Readonly<Record<string, string>>;
  /** With a password, connections over TCP need it (SCRAM); without one, the loopback address is trusted. */
  readonly password?: string;
  /** Where its files go, in a directory of their own; the directory for temporary files without it. */
  readonly directory?: string;
}

export interface PostgresServer {
  readonly url: string;
  readonly port: number;
  readonly dataDir: string;
  readonly socketDir: string;
  /** Of the main process; a different one after a restart. */
  readonly pid: number;
  logs(): string;
  /** Ends the server and removes its data. */
  stop(): Promise<void>;
  kill9(): Promise<void>;
  sigstop(): void;
  sigcont(): void;
  /** Starts it again on the same data and port, after ending it if it is still running. */
  restart(): Promise<void>;
}

async function systemUser(): Promise<
  { readonly name: string; readonly uid: number; readonly gid: number } | undefined
> {
  // PostgreSQL refuses to run as root.
  if (process.getuid?.() !== 0) return undefined;
  const [uid, gid] = await Promise.all([run('id', ['-u', 'postgres']), run('id', ['-g', 'postgres'])]);
  return { name: 'postgres', uid: Number(uid.stdout), gid: Number(gid.stdout) };
}

async function removeSharedMemory(dataDir: string): Promise<void> {
  // A server killed by SIGKILL leaves its System V segment behind; line 7 of postmaster.pid ends with the id.
  const id = readFileSync(join(dataDir, 'postmaster.pid'), 'utf8').split('\n')[6]?.trim().split(/\s+/)[1];
  if (id !== undefined) await run('ipcrm', ['-m', id]);
}

export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  return startCluster(options, undefined);
}

export interface StandbyServer extends PostgresServer {
  /** Stops it from following, so that it accepts writes from then on. */
  promote(): Promise<void>;
}

/**
 * Starts a streaming standby of a server without a password: a copy of it that follows.
 *
 * @param upstreamPort where it finds the server: its own port, or that of a proxy before it
 * @param name what it calls itself, as `synchronous_standby_names` of the server may name it
 */
export async function startStandby(upstreamPort: number, name: string): Promise<StandbyServer> {
  const binaries = requireBinaries();
  const server = await startCluster({}, async (dataDir, runOptions) => {
    const upstream = `host=127.0.0.1 port=${upstreamPort} user=${SUPERUSER} application_name=${name}`;
    const args = [
      `--pgdata=${dataDir}`,
      `--dbname=${upstream}`,
      '--write-recovery-conf',
      '--checkpoint=fast',
      '--no-sync',
    ];
    await run(join(binaries, 'pg_basebackup'), args, runOptions);
  });
  return Object.assign(server, {
    promote: async () => {
      await run(join(binaries, 'psql'), ['--quiet', `--dbname=${server.url}`, '--command=select pg_promote()'], {
        env: { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8' },
      });
    },
  });
}

function requireBinaries(): string {
  const binaries = findPostgresBinaries();
  if (binaries === undefined) throw new Error('PostgreSQL (the server) is not installed');
  return binaries;
}

type RunOptions = Parameters<typeof run>[2];

/** @param fill creates the files of the cluster; default: an empty one */
async function startCluster(
  options: PostgresOptions,
  fill: ((dataDir: string, runOptions: RunOptions) => Promise<void>) | undefined,
): Promise<PostgresServer> {
  const binaries = requireBinaries();
  const [home, port, user] = [tempDir('qnsp-pg-', options.directory), await freePort(), await systemUser()];
  const dataDir = join(home.path, 'data');
  const socketDir = join(home.path, 'socket');
  for (const directory of [dataDir, socketDir]) mkdirSync(directory, { mode: 0o700 });
  const passwordFile = join(home.path, 'password');
  writeFileSync(passwordFile, `${options.password ?? ''}\n`, { mode: 0o600 });
  if (user !== undefined) for (const path of [dataDir, socketDir, passwordFile]) chownSync(path, user.uid, user.gid);

  const env = { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8', TZ: 'UTC' };
  const runOptions = { env, cwd: home.path, ...(user === undefined ? {} : { uid: user.uid, gid: user.gid }) };
  if (fill !== undefined) await fill(dataDir, runOptions);
  else {
    const authentication =
      options.password === undefined ? ['--auth=trust'] : ['--auth=scram-sha-256', `--pwfile=${passwordFile}`];
    const names = [`--pgdata=${dataDir}`, `--username=${SUPERUSER}`];
    const kind = ['--encoding=UTF8', '--locale=C.UTF-8', '--no-sync', ...authentication];
    await run(join(binaries, 'initdb'), [...names, ...kind], runOptions);
  }

  const settings = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: socketDir,
    shared_buffers: '16MB',
    max_connections: '100',
    max_wal_size: '256MB',
    dynamic_shared_memory_type: 'mmap',
    password_encryption: 'scram-sha-256',
    ...options.settings,
  };
  const command = {
    file: join(binaries, 'postgres'),
    args: ['-D', dataDir, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
  };
  const start = async (): Promise<ServerProcess> => {
    const server = await startServerProcess({
      command,
      asUser: user?.name,
      deathSignal: 'SIGQUIT',
      cwd: home.path,
      env,
    });
    await waitUntil({
      isReady: () =>
        run(join(binaries, 'pg_isready'), ['-q', '-h', '127.0.0.1', '-p', String(port)], { env }).then(
          () => true,
          () => false,
        ),
      hasFailed: () => !server.isRunning(),
      describeFailure: () => `PostgreSQL did not become ready:\n${server.logs()}`,
      limitMs: READY_LIMIT_MS,
    });
    return server;
  };

  let current = await start();
  let killed = false;
  // SIGINT asks for the fast shutdown, which does not wait for clients.
  const end = (): Promise<void> => current.stop('SIGINT');
  const credentials =
    options.password === undefined ? SUPERUSER : `${SUPERUSER}:${encodeURIComponent(options.password)}`;
  return {
    url: `postgres://${credentials}@127.0.0.1:${port}/postgres`,
    port,
    dataDir,
    socketDir,
    get pid() {
      return current.pid;
    },
    logs: () => current.logs(),
    async stop() {
      if (current.isRunning()) await end();
      else if (killed) await removeSharedMemory(dataDir);
      await home.remove();
    },
    async kill9() {
      await current.kill9();
      killed = true;
    },
    sigstop: () => {
      current.sigstop();
    },
    sigcont: () => {
      current.sigcont();
    },
    async restart() {
      if (current.isRunning()) await end();
      current = await start();
      killed = false;
    },
  };
}
