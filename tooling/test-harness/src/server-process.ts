import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { onProcessExit } from './exit-cleanup.ts';
import { boundToParent, type Command, type DeathSignal } from './parent-bound.ts';

const STOP_LIMIT_MS = 60_000;
const LOG_LIMIT = 1_000_000;

export interface ServerProcess {
  readonly child: ChildProcess;
  readonly pid: number;
  /** What it has written so far, to stdout and stderr; if that is a lot, the end of it. */
  logs(): string;
  isRunning(): boolean;
  /** Sends the signal, waits for the end and forces it if that takes too long. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Kills it and the processes it has started, as a crash of the machine would. */
  kill9(): Promise<void>;
  /** Halts it and the processes it has started; they keep their connections but answer nothing. */
  sigstop(): void;
  sigcont(): void;
}

function childrenOf(pid: number): number[] {
  const file = `/proc/${pid}/task/${pid}/children`;
  // Only Linux has the list; elsewhere the signal reaches the main process alone.
  const listed = existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
  return listed === '' ? [] : listed.split(' ').map(Number);
}

function signalIfRunning(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

export interface ServerProcessOptions {
  readonly command: Command;
  readonly asUser?: string | undefined;
  readonly deathSignal: DeathSignal;
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
}

export async function startServerProcess(options: ServerProcessOptions): Promise<ServerProcess> {
  const { file, args } = boundToParent(options.command, options.deathSignal, options.asUser);
  const child = spawn(file, args, { cwd: options.cwd, env: options.env, stdio: ['ignore', 'pipe', 'pipe'] });
  const pid = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('spawn', () => {
      if (child.pid !== undefined) resolve(child.pid);
    });
  });

  // Kept as it arrives: a server under load writes more than could be concatenated each time.
  const output: Buffer[] = [];
  let bytes = 0;
  const keep = (chunk: Buffer): void => {
    output.push(chunk);
    bytes += chunk.length;
    while (bytes > LOG_LIMIT && output.length > 1) bytes -= output.shift()?.length ?? 0;
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);

  const forget = onProcessExit(() => {
    child.kill(options.deathSignal);
  });
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => {
      forget();
      resolve();
    });
  });

  // A halted parent starts no further children: halting it first makes the list complete.
  const signalAll = (signal: NodeJS.Signals): void => {
    process.kill(pid, 'SIGSTOP');
    const children = childrenOf(pid);
    for (const each of [pid, ...children]) signalIfRunning(each, signal);
  };

  return {
    child,
    pid,
    logs: () => Buffer.concat(output).toString('utf8'),
    isRunning: () => child.exitCode === null && child.signalCode === null,
    async stop(signal = 'SIGTERM') {
      child.kill(signal);
      // A halted process would never see the signal.
      child.kill('SIGCONT');
      const force = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
      await ended;
      clearTimeout(force);
    },
    async kill9() {
      signalAll('SIGKILL');
      await ended;
    },
    sigstop() {
      signalAll('SIGSTOP');
    },
    sigcont() {
      signalAll('SIGCONT');
    },
  };
}
