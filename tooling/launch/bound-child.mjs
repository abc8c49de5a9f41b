import { realpathSync } from 'node:fs';
import { basename } from 'node:path';
import { runChild } from './child.mjs';

const SETPRIV = '/usr/bin/setpriv';

function hasSetpriv() {
  try {
    // BusyBox has one too, which cannot bind a process to its parent.
    return basename(realpathSync(SETPRIV)) === 'setpriv';
  } catch (error) {
    if (error.code === 'ENOENT') return false;
    throw error;
  }
}

/**
 * Like runChild, for a child that shuts down gracefully: it gets each signal once, from here, and never from the
 * terminal; should this process be killed, the kernel asks the child to end. Without setpriv it stays in this
 * process's group instead, where a signal to the group reaches it directly.
 */
export function runBoundChild(command, args, options) {
  if (!hasSetpriv()) return runChild(command, args, options);
  return runChild(SETPRIV, ['--pdeathsig=TERM', '--', command, ...args], { ...options, detached: true });
}
