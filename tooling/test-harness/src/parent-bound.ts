import { existsSync, realpathSync } from 'node:fs';
import { basename } from 'node:path';

const SETPRIV = '/usr/bin/setpriv';

/** What a server is sent when nobody is left to stop it. */
export type DeathSignal = 'SIGKILL' | 'SIGQUIT';

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
}

/**
 * The same command, ended by the kernel should this process be killed without a chance to clean up.
 * The process id is the command's own: setpriv replaces itself with it.
 */
export function boundToParent(command: Command, signal: DeathSignal, asUser?: string): Command {
  // BusyBox has a setpriv too, which cannot bind a process to its parent.
  if (!existsSync(SETPRIV) || basename(realpathSync(SETPRIV)) !== 'setpriv') {
    if (asUser === undefined) return command;
    return { file: 'runuser', args: ['-u', asUser, '--', command.file, ...command.args] };
  }
  const identity = asUser === undefined ? [] : [`--reuid=${asUser}`, `--regid=${asUser}`, '--init-groups'];
  return {
    file: SETPRIV,
    args: [...identity, `--pdeathsig=${signal.slice('SIG'.length)}`, '--', command.file, ...command.args],
  };
}
