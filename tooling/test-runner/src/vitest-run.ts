import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { boundToParent } from '@qnsp/test-harness';
import { type Tally, tally } from './tally.ts';

const GRACE_MS = 5000;

export interface VitestRun {
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly reportFile: string;
  /** Ends the run early; a run that was ended counts as failed. */
  readonly signal: AbortSignal;
}

function vitestEntry(): string {
  return join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs');
}

function signalGroup(leader: ChildProcess, signal: NodeJS.Signals): void {
  if (leader.pid === undefined) return;
  try {
    process.kill(-leader.pid, signal);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

/** Runs vitest and counts its results; when this resolves, none of its processes is left. */
export async function runVitest(run: VitestRun): Promise<Tally> {
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${run.reportFile}`];
  const command = boundToParent(
    { file: process.execPath, args: [vitestEntry(), 'run', ...reporters, ...run.args] },
    'SIGKILL',
  );
  // A group of its own, so that its workers can be ended with it and a terminal's Ctrl-C comes to it only from here.
  const child = spawn(command.file, command.args, {
    cwd: run.cwd,
    env: run.env,
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const end = (): void => {
    signalGroup(child, 'SIGTERM');
    void sleep(GRACE_MS, undefined, { ref: false }).then(() => {
      signalGroup(child, 'SIGKILL');
    });
  };
  run.signal.addEventListener('abort', end, { once: true });
  if (run.signal.aborted) end();
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', resolve);
  });
  signalGroup(child, 'SIGKILL');
  const report = existsSync(run.reportFile) ? readFileSync(run.reportFile, 'utf8') : undefined;
  return tally(report, code === 0 && !run.signal.aborted);
}
